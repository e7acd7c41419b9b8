/**
 * One POST over a kept-alive connection: an answer, or an `RpcError` that says whether the request can have arrived.
 */
import http, { type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { RpcError } from '../../cable/rpc.ts'
import { aborted } from '../transport.ts'
import { withRemedy, type Trust } from '../trust.ts'

/** Where requests go. */
export type Target = {
  readonly url: URL
  /** Keeps the connections. */
  readonly agent: Agent
  /** Requests without an answer; each is aborted by its function. */
  readonly open: Set<() => void>
}

export type Post = {
  /** After the URL's own path. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In ms of `performance.now()`; `Infinity` for none. */
  readonly deadline: number
  /** Of the answer's body, in bytes. */
  readonly maxReceived: number
}

export type Answer = {
  readonly status: number
  readonly body: string
  /** Of a redirect. */
  readonly location: string | null
}

/** Shorter than the 5 s after which common servers close an idle connection: no call may meet one that is closing. */
const idleSocketMs = 4_000

export function targetFor(url: URL, { ca, verify }: Trust): Target {
  const options = { keepAlive: true, timeout: idleSocketMs }
  const open = new Set<() => void>()
  if (url.protocol === 'http:') return { url, agent: new http.Agent(options), open }
  const agent = new https.Agent({ ...options, ...(ca !== null && { ca }), rejectUnauthorized: verify })
  return { url, agent, open }
}

/** Fails the requests that have no answer yet, with the code `aborted`. */
export function abortRequests({ open }: Target): void {
  for (const abort of open) abort()
}

/** Closes the idle connections; the others close after their request. */
export function closeTarget({ agent }: Target): void {
  agent.maxFreeSockets = 0
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy()
}

/** Rejects with `RpcError` only, with the outcome `notRun` until the whole request has been sent. */
export function post({ url, agent, open }: Target, post: Post): Promise<Answer> {
  const { body, deadline, maxReceived } = post
  return new Promise((resolve, reject) => {
    const request = requestFor(url, agent, post)
    let outcome: RpcError['outcome'] = 'notRun'
    let timer: NodeJS.Timeout | undefined
    const abort = (): void => fail(aborted(outcome))
    const settle = (): void => {
      clearTimeout(timer)
      open.delete(abort)
    }
    const fail = (error: RpcError): void => {
      settle()
      reject(error)
      request.destroy()
    }
    open.add(abort)
    if (deadline !== Infinity) {
      const onDeadline = (): void => fail(new RpcError('timeout', outcome, 'the app did not answer in time'))
      timer = setTimeout(onDeadline, Math.max(0, deadline - performance.now()))
    }
    request.once('finish', () => {
      if (isHandshakeOver(request.socket)) outcome = 'unknown'
    })
    request.on('error', error =>
      fail(new RpcError('unavailable', outcome, withRemedy(textOf(error)), { cause: error })),
    )
    request.once('response', response => {
      outcome = 'unknown'
      collect(response, maxReceived, fail, answer => {
        settle()
        resolve(answer)
      })
    })
    request.end(body)
  })
}

/** Throws `RpcError` for a header that HTTP cannot carry. */
function requestFor(url: URL, agent: Agent, { path, headers, body }: Post): ClientRequest {
  const { hostname, port, pathname, protocol } = url
  const send = protocol === 'http:' ? http.request : https.request
  try {
    return send({
      // An IPv6 address is in brackets in a URL only.
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      path: `${pathname.replace(/\/$/, '')}/${path}`,
      method: 'POST',
      agent,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    })
  } catch (cause) {
    const message = `the request cannot be sent: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new RpcError('application', 'notRun', message, { cause, isLocal: true })
  }
}

/** Node.js also reports `finish` for a request whose TLS handshake fails. */
function isHandshakeOver(socket: Socket | null): boolean {
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
  const message = `the reply is larger than ${maxReceived} bytes: see rpc_max_call_recv_size`
  return new RpcError('application', status === 200 ? 'ran' : 'unknown', message)
}

/** A name with several addresses has an error for each. */
function textOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.message
}
