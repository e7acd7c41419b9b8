/**
 * AnyCable's HTTP broadcaster: the app posts its publications to one path of ours.
 *
 * Source: AnyCable `broadcast/http.go`.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type HttpServer, listenHttp, originOf, pathOf } from '../ops/server.ts'
import type { Deliver } from '../cable/broadcast.ts'
import type { Log } from '../ops/log.ts'

export type BroadcastEndpoint = {
  readonly path: string
  /** What the app must say as `Authorization: Bearer …`; `null`: nothing. */
  readonly key: string | null
}

/** Room for a batch of some ten thousand commands; more than one NATS message may hold (1 MiB). */
const MAX_BODY_BYTES = 8 * 1024 * 1024
/** Of all bodies that are being received. */
const MAX_OPEN_BYTES = 8 * MAX_BODY_BYTES

/** The key that AnyCable derives from the app's secret. */
export function broadcastKey(secret: string): string {
  return createHmac('sha256', secret).update('broadcast-cable').digest('hex')
}

/** Opens the endpoint on a port of its own, where every other path is 404. Rejects where the port cannot be bound. */
export async function openHttpBroadcast(
  { host, port, path, key }: BroadcastEndpoint & { readonly host: string; readonly port: number },
  deliver: Deliver,
  log: Log,
): Promise<HttpServer> {
  const route = broadcastRoute({ path, key }, deliver)
  const server = await listenHttp({ host, port }, (request, response) => {
    if (!route(request, response)) end(response, 404)
  })
  const said = log.child({ context: 'broadcast', provider: 'http' })
  const condition = key === null ? 'no authorization' : 'authorization required'
  said.info({}, `Accept broadcast requests at ${originOf('http', { host, port: server.port })}${path} (${condition})`)
  if (key === null && !isLoopback(host)) {
    said.warn({ host }, 'Whoever reaches this port can command every station: set --broadcast_key or --secret')
  }
  return server
}

/**
 * The endpoint as a part of any HTTP server: returns whether the request was for it, and if so answers it.
 *
 * 201 taken (also what nobody can read), 401 wrong key, 413 over 8 MiB, 422 not a POST, 503 too much at once.
 */
export function broadcastRoute(
  { path, key }: BroadcastEndpoint,
  deliver: Deliver,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const expected = key === null ? null : digest(`Bearer ${key}`)
  const open = { bytes: 0 }
  return (request, response) => {
    if (request.url !== path && pathOf(request.url) !== path) return false
    if (request.method !== 'POST') end(response, 422)
    else if (expected !== null && !timingSafeEqual(expected, digest(request.headers.authorization ?? '')))
      end(response, 401)
    else readBody(request, response, deliver, open)
    return true
  }
}

/** Keeps no more than the limit; what a client sends beyond it is read and forgotten, so that it gets to see the 413. */
function readBody(request: IncomingMessage, response: ServerResponse, deliver: Deliver, open: { bytes: number }): void {
  const chunks: Buffer[] = []
  let kept = 0
  let bytes = Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES ? Infinity : 0
  if (bytes > MAX_BODY_BYTES) end(response, 413)
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
    end(response, bytes > MAX_BODY_BYTES ? 413 : 503)
  })
  request.on('end', () => {
    if (response.headersSent) return
    deliver(Buffer.concat(chunks).toString())
    end(response, 201)
  })
  request.once('close', () => (open.bytes -= kept))
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 }).end()
}

/** Equal lengths, so that the time a comparison takes tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
