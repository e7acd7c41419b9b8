/**
 * The console over HTTP: `GET /` and its files, and its sessions. All that it shows comes from the admin API, by the
 * same access rules as for every client.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access, Grant } from '../http/access.ts'
import { ProblemError } from '../problems.ts'
import { pageHeaders, type Pages } from './pages.ts'
import type { Sessions } from './sessions.ts'

const sessionPath = '/console/session'

export class Console {
  readonly #pages: Pages
  readonly #access: Access
  readonly #sessions: Sessions

  constructor(pages: Pages, access: Access, sessions: Sessions) {
    this.#pages = pages
    this.#access = access
    this.#sessions = sessions
  }

  /**
   * Throws `ProblemError`.
   *
   * @param path without the query
   * @returns whether the request was for the console
   */
  serve(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    if (path === sessionPath) {
      this.#session(request, response)
      return true
    }
    const page = this.#pages.get(path)
    if (page === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false
    const { type, etag, body, gzipped } = page
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304, { ...pageHeaders, etag }).end()
      return true
    }
    const isGzipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    const sent = isGzipped ? gzipped : body
    const encoding = isGzipped ? { 'content-encoding': 'gzip' } : {}
    const headers = { ...pageHeaders, ...encoding, etag, 'content-type': type, 'content-length': sent.length }
    response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : sent)
    return true
  }

  /**
   * GET: by what the browser is let in, `null` if it has to sign in. POST with a token: signs in. DELETE: signs out.
   */
  #session({ method = '', headers }: IncomingMessage, response: ServerResponse): void {
    if (method === 'DELETE') {
      response.writeHead(204, { 'set-cookie': this.#sessions.noCookie }).end()
      return
    }
    if (method !== 'GET' && method !== 'POST') {
      response.setHeader('allow', 'GET, POST, DELETE')
      throw new ProblemError('method-not-allowed')
    }
    const grant = method === 'POST' ? this.#access(headers, false) : this.#grantOf(headers)
    const isSigningIn = method === 'POST' && grant !== null && grant !== 'loopback'
    const cookie = isSigningIn ? { 'set-cookie': this.#sessions.cookieFor(grant) } : {}
    const text = JSON.stringify({ grant })
    const head = { 'content-type': 'application/json', 'content-length': text.length, 'cache-control': 'no-store' }
    response.writeHead(200, { ...head, ...cookie }).end(text)
  }

  #grantOf(headers: IncomingMessage['headers']): Grant | null {
    try {
      return this.#access(headers, false)
    } catch (error) {
      if (error instanceof ProblemError && error.problem.status === 401) return null
      throw error
    }
  }
}
