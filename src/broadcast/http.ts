/**
 * AnyCable's HTTP broadcaster: the app posts its publications to the bridge.
 *
 * Source: AnyCable `broadcast/http.go`.
 */
import { createHmac } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { bearer } from '../ops/bearer.ts'
import { Bodies, type HttpServer, listenHttp, originOf, pathOf } from '../ops/server.ts'
import type { Deliver } from '../cable/broadcast.ts'
import { isLoopback } from '../translate/url.ts'
import type { Log } from '../ops/log.ts'

export type BroadcastEndpoint = {
  readonly path: string
  /** The Bearer token that the app must send; `null`: none is required. */
  readonly key: string | null
}

/** Enough for a batch of about ten thousand commands, and more than a NATS message may have (1 MiB). */
const maxBodyBytes = 8 * 1024 * 1024
const bodyLimits = { each: maxBodyBytes, open: 8 * maxBodyBytes }

/** Derives the key from the app's secret, as AnyCable does. */
export function broadcastKey(secret: string): string {
  return createHmac('sha256', secret).update('broadcast-cable').digest('hex')
}

/** Opens the endpoint on a port of its own; every other path is 404. Rejects if the port cannot be bound. */
export async function openHttpBroadcast(
  { host, port, path, key }: BroadcastEndpoint & { readonly host: string; readonly port: number },
  deliver: Deliver,
  log: Log,
): Promise<HttpServer> {
  const route = broadcastRoute({ path, key }, deliver)
  const server = await listenHttp({ host, port }, (request, response) => {
    if (!route(request, response)) end(response, 404)
  })
  const ownLog = log.child({ context: 'broadcast', provider: 'http' })
  const condition = key === null ? 'no authorization' : 'authorization required'
  ownLog.info({}, `Accept broadcast requests at ${originOf('http', { host, port: server.port })}${path} (${condition})`)
  if (key === null && !isLoopback(host)) {
    ownLog.warn({ host }, 'anyone who reaches this port can command every station; set --broadcast_key or --secret')
  }
  return server
}

/**
 * The endpoint as a route of any HTTP server: answers requests to its path, and returns whether a request was one.
 *
 * 201: accepted, even if unreadable. 401: wrong key. 413: over 8 MiB. 422: not a POST. 503: over 64 MiB of open bodies.
 */
export function broadcastRoute(
  { path, key }: BroadcastEndpoint,
  deliver: Deliver,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const isAuthorized = key === null ? null : bearer(key)
  const bodies = new Bodies(bodyLimits)
  return (request, response) => {
    if (request.url !== path && pathOf(request.url) !== path) return false
    if (request.method !== 'POST') end(response, 422)
    else if (isAuthorized?.(request.headers.authorization) === false) end(response, 401)
    else void receive(request, response, deliver, bodies)
    return true
  }
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  deliver: Deliver,
  bodies: Bodies,
): Promise<void> {
  const body = await bodies.read(request)
  if ('text' in body) {
    deliver(body.text)
    end(response, 201)
  } else if (body.fault !== 'cutOff') end(response, body.fault === 'tooLarge' ? 413 : 503)
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0 }).end()
}
