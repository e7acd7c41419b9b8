/**
 * One POST over a kept-alive connection: an answer, or an `RpcError` that says whether the request can have arrived.
 */
import http, { type Agent, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { RpcError } from '../cable/rpc.ts'
import { atDeadline, clear } from './deadline.ts'
import { withRemedy, type Trust } from './trust.ts'

/** Where requests go. The agent keeps the connections. */
export type Target = { readonly url: URL; readonly agent: Agent }

export type Post = {
  /** After the URL's own path. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** As `Date` counts. */
  readonly deadline: number
  /** Of an answer's body, in bytes. */
  readonly maxReceived: number
}

export type Answer = {
  readonly status: number
  readonly body: string
  /** Of a redirect. */
  readonly location: string | null
}

/** Less than the 5 s after which the first of the common servers hang up: a call must not meet a connection that ends. */
const idleSocketMs = 4_000

export function targetOf(url: URL, { ca, verify }: Trust): Target {
  const options = { keepAlive: true, timeout: idleSocketMs }
  if (url.protocol === 'http:') return { url, agent: new http.Agent(options) }
  return { url, agent: new https.Agent({ ...options, ...(ca !== null && { ca }), rejectUnauthorized: verify }) }
}

/** Ends the connections that are at rest; the others end with their call. */
export function closeTarget({ agent }: Target): void {
  agent.maxFreeSockets = 0
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy()
}

/** Rejects with `RpcError` only: `notRun` as long as the request has not left as a whole. */
export function post({ url, agent }: Target, { path, headers, body, deadline, maxReceived }: Post): Promise<Answer> {
  const { hostname, port, pathname, protocol } = url
  const send = protocol === 'http:' ? http.request : https.request
  return new Promise((resolve, reject) => {
    const request = send({
      // An IPv6 address stands in brackets in a URL, and without them everywhere else.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      path: `${pathname.replace(/\/$/, '')}/${path}`,
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    })
    let outcome: RpcError['outcome'] = 'notRun'
    const fail = (error: RpcError): void => {
      clear(timer)
      reject(error)
      request.destroy()
    }
    const timer = atDeadline(deadline, () => fail(new RpcError('timeout', outcome, 'the app has not answered in time')))
    request.once('finish', () => {
      if (isOpen(request.socket)) outcome = 'unknown'
    })
    request.on('error', error =>
      fail(new RpcError('unavailable', outcome, withRemedy(textOf(error)), { cause: error })),
    )
    request.once('response', response => {
      outcome = 'unknown'
      collect(response, maxReceived, fail, answer => {
        clear(timer)
        resolve(answer)
      })
    })
    request.end(body)
  })
}

/** What waited for a TLS handshake that failed is called finished too. */
function isOpen(socket: Socket | null): boolean {
  return !(socket instanceof TLSSocket) || socket.alpnProtocol !== null
}

function collect(
  response: IncomingMessage,
  maxReceived: number,
  fail: (error: RpcError) => void,
  done: (answer: Answer) => void,
): void {
  const { statusCode: status = 0, headers } = response
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxReceived) chunks.push(chunk)
    else fail(tooLarge(maxReceived, status))
  })
  response.on('error', cause => fail(new RpcError('unavailable', 'unknown', 'the reply broke off', { cause })))
  response.on('end', () => done({ status, body: Buffer.concat(chunks).toString(), location: headers.location ?? null }))
}

function tooLarge(maxReceived: number, status: number): RpcError {
  const said = `the reply is larger than ${maxReceived} bytes: see rpc_max_call_recv_size`
  return new RpcError('application', status === 200 ? 'ran' : 'unknown', said)
}

/** Where a name has several addresses, the error of each. */
function textOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message
}
