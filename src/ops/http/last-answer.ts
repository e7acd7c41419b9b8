/**
 * Answers to requests that an HTTP server has released as upgrades.
 */
import { ServerResponse, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { destroyLater, endWith } from './lingering.ts'

/**
 * Whether the answer to an earlier request of the connection is due: it would come behind what is written to this one.
 */
export function owesAnswer(request: IncomingMessage): boolean {
  const { socket } = request
  const response = new ServerResponse(request)
  try {
    response.assignSocket(socket)
  } catch {
    return true
  }
  response.detachSocket(socket)
  return false
}

/** Has a listener answer a request, then closes the connection. The request's body is not read. */
export function answerLast(request: IncomingMessage, listener: RequestListener): void {
  const { socket } = request
  const response = new ServerResponse(request)
  response.setHeader('Connection', 'close')
  response.assignSocket(socket)
  // Over TLS, `finish` may never come: see `destroyThisLater`.
  destroyLater(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    endWith(socket, '')
  })
  listener(request, response)
}

/**
 * Makes the server read an upgrade request again, as a plain request on a connection that closes after the answer.
 *
 * Only for Node without `shouldUpgradeCallback` (before 22.21 and 24.9), which stops at the head of each upgrade
 * request: the server itself has to parse the body, which may be chunked, and to enforce its timeouts.
 */
export function replayAsPlain(server: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const { method = '', url = '', httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`, 'Connection: close']
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    if (!/^(?:connection|upgrade)$/i.test(name)) lines.push(`${name}: ${value}`)
  }
  stream.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit(stream instanceof TLSSocket ? 'secureConnection' : 'connection', stream)
}
