/** A small HTTP server of our own: for metrics, and for broadcasts on a port of their own. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

export type HttpServer = {
  /** The port that was bound, also where 0 was asked for. */
  readonly port: number
  /** Idle connections end at once, requests that are being answered within a second. May be called twice. */
  close(): Promise<void>
}

const CLOSE_MS = 1000
const REQUEST_MS = 30_000

/** Rejects where the port cannot be bound. */
export async function listenHttp(
  address: { host: string; port: number },
  listener: RequestListener,
): Promise<HttpServer> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, listener)
  await new Promise<void>((resolve, reject) => {
    // Once it listens, what goes wrong is one connection that could not be accepted: the others must not go with it.
    server.on('error', reject)
    server.listen({ host: bindHost(address.host), port: address.port }, resolve)
  })
  let closing: Promise<void> | null = null
  const end = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  return { port: (server.address() as AddressInfo).port, close: () => (closing ??= end()) }
}

/** `localhost` as Go binds it: where it means `::1` first, everybody who says 127.0.0.1 would find nobody. */
function bindHost(host: string): string {
  return host === 'localhost' ? '127.0.0.1' : host
}

/** The path of a request target, in origin form (`/p?q`) or absolute form (`http://host/p?q`, which proxies and Ruby send). */
export function pathOf(target: string | undefined): string {
  const path = (target ?? '').replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path === '' ? '/' : path
}
