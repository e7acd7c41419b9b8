/**
 * Plain HTTP requests on the stations' port: health checks, posts of the app, and 426 for stations that do not upgrade.
 */
import { ServerResponse, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { pathOf } from '../ops/server.ts'
import { isStationPath } from '../translate/handshake.ts'
import { destroyLater, endWith } from './upgrade/refusals.ts'

export type RequestSettings = {
  readonly healthPath: string
  readonly readyPath: string
  readonly handshake: { readonly path: string }
}

/** The checks behind `/ready`, by name. The bridge is ready when all of them are true. */
export type Readiness = Readonly<Record<string, boolean>>

export interface Answers {
  readiness(): Readiness
  /** Whether a request is a post with the broadcast key. */
  isOfApp(request: IncomingMessage): boolean
  /** Answers a request for another path of this port; returns whether it did. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
}

/** AnyCable's own text (`server/health_handler.go`): existing health checks compare it. */
const alive = "Ah, ha, ha, ha, stayin' alive, stayin' alive."

export function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  settings: RequestSettings,
  answers: Answers,
): void {
  const target = request.url ?? '/'
  const path = pathOf(target)
  if (path === settings.healthPath) return respond(response, 200, alive)
  if (path === settings.readyPath) return respondReadiness(response, answers.readiness())
  if (answers.answer(request, response)) return
  if (!isStationPath(target, settings.handshake.path)) return respond(response, 404, 'Not found')
  response.setHeader('Upgrade', 'websocket')
  respond(response, 426, 'This is a WebSocket endpoint for charging stations')
}

/**
 * Whether the answer to an earlier request of the connection is due: it would come behind what is written to this one.
 */
export function owesAnswer(request: IncomingMessage, stream: Socket): boolean {
  const response = new ServerResponse(request)
  try {
    response.assignSocket(stream)
  } catch {
    return true
  }
  response.detachSocket(stream)
  return false
}

/** Answers a request on a connection that the HTTP server has released, then closes that. Its body is not read. */
export function answerLast(
  request: IncomingMessage,
  stream: Socket,
  settings: RequestSettings,
  answers: Answers,
): void {
  const response = new ServerResponse(request)
  response.setHeader('Connection', 'close')
  response.assignSocket(stream)
  // Over TLS, `finish` may never come: see `destroyThisLater`.
  destroyLater(stream)
  response.once('finish', () => {
    response.detachSocket(stream)
    endWith(stream, '')
  })
  answerRequest(request, response, settings, answers)
}

/**
 * Whether an upgrade request asks for a WebSocket, perhaps among other protocols. Any other upgrade is ignored and the
 * request served as a plain one (RFC 9110 §7.8): Java's HttpClient offers `h2c` with every request.
 */
export function asksForWebSocket({ headers: { connection = '', upgrade = '' } }: IncomingMessage): boolean {
  return lists(connection, 'upgrade') && lists(upgrade, 'websocket')
}

function lists(header: string, name: string): boolean {
  return header.split(',').some(each => each.trim().toLowerCase() === name)
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

function respond(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}

function respondReadiness(response: ServerResponse, readiness: Readiness): void {
  const ready = Object.values(readiness).every(Boolean)
  const body = `${JSON.stringify({ ready, ...readiness })}\n`
  response
    .writeHead(ready ? 200 : 503, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}
