/** What all our HTTP ports have in common, and the small servers on them: metrics, and broadcasts on a port of their own. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Address = { readonly host: string; readonly port: number }

export type HttpServer = {
  /** The port that was bound, also where 0 was asked for. */
  readonly port: number
  /** Idle connections end at once, requests that are being answered within a second. May be called twice. */
  close(): Promise<void>
}

const closeMs = 1000
const requestMs = 30_000

/** Rejects where the port cannot be bound. */
export async function listenHttp(address: Address, listener: RequestListener): Promise<HttpServer> {
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, listener)
  const port = await listen(server, address)
  let closing: Promise<void> | null = null
  const end = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(() => server.closeAllConnections(), closeMs)
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  return { port, close: () => (closing ??= end()) }
}

/** Connections that wait to be accepted: Node's 511 are too few for a fleet that comes back at once. The kernel may cap it. */
const backlog = 4096

/** Binds a server's port and returns it, also where 0 was asked for. Rejects where it cannot be bound. */
export async function listen(server: Server, { host, port }: Address): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // Once it listens, what goes wrong is one connection that could not be accepted: the others must not go with it.
    server.on('error', reject)
    server.listen({ host: bindHost(host), port, backlog }, resolve)
  })
  return (server.address() as AddressInfo).port
}

export function originOf(scheme: 'http' | 'https', address: Address): string {
  return `${scheme}://${authorityOf(address)}`
}

/** The `host:port` of a URL: an IPv6 address is in brackets. */
export function authorityOf({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
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
