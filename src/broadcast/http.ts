/**
 * AnyCable's HTTP broadcaster: the app posts its publications to the bridge.
 *
 * Source: AnyCable `broadcast/http.go`.
 */
import { createHmac } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { bearer } from '../ops/bearer.ts'
import { type HttpServer, listenHttp, originOf, pathOf } from '../ops/http/server.ts'
import type { Deliver } from '../cable/broadcast.ts'
import type { Log } from '../ops/log.ts'
import type { Meter } from '../ops/metrics.ts'
import { afterWrites } from '../ops/event-loop/turn-end.ts'

export type BroadcastEndpoint = {
  readonly path: string
  /** The Bearer token that the app must send; `null`: none is required. */
  readonly key: string | null
}

/** Enough for a batch of some thousand commands, and as much as a NATS message may have by default. */
const MAX_BODY_BYTES = 1024 * 1024
/** Of all bodies being received at the same time. */
const MAX_OPEN_BYTES = 8 * MAX_BODY_BYTES

/** Of an app with many processes: each takes a descriptor that a station may need. */
const maxConnections = 1_000

/** Derives the key from the app's secret, as AnyCable does. */
export function broadcastKey(secret: string): string {
  return createHmac('sha256', secret).update('broadcast-cable').digest('hex')
}

/** Opens the endpoint on a port of its own; every other path is 404. Rejects if the port cannot be bound. */
export async function openHttpBroadcast(
  { host, port, path, key }: BroadcastEndpoint & { readonly host: string; readonly port: number },
  deliver: Deliver,
  { log, meter }: { readonly log: Log; readonly meter: Meter },
): Promise<HttpServer> {
  const route = broadcastRoute({ path, key }, deliver, meter)
  const answer: RequestListener = (request, response) => {
    if (!route.answer(request, response)) end(response, 404)
  }
  const limits = { connections: maxConnections, isTrusted: route.isOfApp }
  const server = await listenHttp({ host, port }, answer, limits)
  const ownLog = log.child({ context: 'broadcast', provider: 'http' })
  const condition = key === null ? 'no authorization' : 'authorization required'
  ownLog.info({}, `Accept broadcast requests at ${originOf('http', { host, port: server.port })}${path} (${condition})`)
  return server
}

/**
 * The endpoint as a route of any HTTP server. `answer` answers requests to its path, and returns whether a request was
 * one: 201: accepted, even if unreadable. 401: wrong key. 413: over 1 MiB. 422: not a POST. 503: over 8 MiB of open
 * bodies.
 */
export function broadcastRoute({ path, key }: BroadcastEndpoint, deliver: Deliver, meter: Meter): BroadcastRoute {
  const isAuthorized = key === null ? null : bearer(key)
  const refuse: Receiving['refuse'] = (response, status) => {
    meter.count('failed_broadcast_msg_total')
    end(response, status)
  }
  const receiving = { deliver, open: { bytes: 0 }, refuse }
  const isHere = ({ url }: IncomingMessage): boolean => url === path || pathOf(url) === path
  const hasKey = ({ headers }: IncomingMessage): boolean => isAuthorized?.(headers.authorization) !== false
  return {
    isOfApp: request => isHere(request) && request.method === 'POST' && hasKey(request),
    answer: (request, response) => {
      if (!isHere(request)) return false
      if (request.method !== 'POST') end(response, 422)
      else if (!hasKey(request)) end(response, 401)
      else readBody(request, response, receiving)
      return true
    },
  }
}

type BroadcastRoute = {
  /** Whether a request is a post with the key. */
  readonly isOfApp: (request: IncomingMessage) => boolean
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** What the requests of one route share. */
type Receiving = {
  readonly deliver: Deliver
  /** All bodies that have not been received whole. */
  readonly open: { bytes: number }
  /** Answers, and counts the refusal. */
  readonly refuse: (response: ServerResponse, status: 413 | 503) => void
}

/** Buffers up to the limit. Discards the rest of a body instead of closing, so that the client receives the 413. */
function readBody(request: IncomingMessage, response: ServerResponse, { deliver, open, refuse }: Receiving): void {
  const chunks: Buffer[] = []
  let kept = 0
  let bytes = Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES ? Infinity : 0
  if (bytes > MAX_BODY_BYTES) refuse(response, 413)
  request.on('data', (chunk: Buffer) => {
    if (response.headersSent) return
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES && open.bytes + chunk.length <= MAX_OPEN_BYTES) {
      chunks.push(chunk)
      kept += chunk.length
      open.bytes += chunk.length
      return
    }
    chunks.length = 0
    refuse(response, bytes > MAX_BODY_BYTES ? 413 : 503)
  })
  request.on('end', () => {
    if (response.headersSent) return
    deliver(Buffer.concat(chunks).toString())
    afterWrites(() => end(response, 201))
  })
  request.once('close', () => (open.bytes -= kept))
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 }).end()
}
