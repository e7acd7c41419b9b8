/**
 * Who may use the admin API: clients with a bearer token, or with the cookie of the console. Without tokens, every
 * process of this machine, but no web page from another host.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { bearer } from '../../ops/bearer.ts'
import { isLoopback } from '../../translate/url.ts'
import { ProblemError } from '../problems.ts'

export type AccessSettings = {
  /** For everything. */
  readonly token: string | null
  /** For what changes nothing. */
  readonly readToken: string | null
}

/** By what a request is let in: `loopback` where no token is set. */
export type Grant = 'token' | 'read token' | 'loopback'

export type Access = (headers: IncomingHttpHeaders, isWrite: boolean) => Grant

/**
 * @param grantOfCookie by what a session of the console lets in
 * @returns lets a request in, or throws `ProblemError`
 */
export function accessBy(
  { token, readToken }: AccessSettings,
  grantOfCookie: (cookies: string | undefined) => Grant | null = () => null,
): Access {
  const isToken = token === null ? () => false : bearer(token)
  const isReadToken = readToken === null ? () => false : bearer(readToken)
  const isOpen = token === null && readToken === null
  const grantOf = (authorization: string): Grant | null =>
    isToken(authorization) ? 'token' : isReadToken(authorization) ? 'read token' : null
  return (headers, isWrite) => {
    refuseForeign(headers, isOpen)
    if (isOpen) return 'loopback'
    const { authorization, cookie, origin } = headers
    const isByCookie = authorization === undefined
    const grant = isByCookie ? grantOfCookie(cookie) : grantOf(authorization)
    if (grant === null) throw new ProblemError('unauthorized')
    // A browser adds the cookie by itself, and an Origin to every request that changes something.
    if (isWrite && isByCookie && origin === undefined)
      throw new ProblemError('foreign-origin', 'With a cookie, the Origin header must name this host')
    if (isWrite && grant === 'read token') throw new ProblemError('read-only', 'It takes the token of admin_token')
    return grant
  }
}

/**
 * A page of another host may send requests with the browser that shows it; without a token, also after it has
 * pointed its own name to 127.0.0.1 (DNS rebinding).
 */
function refuseForeign({ host = '', origin, ...headers }: IncomingHttpHeaders, isOpen: boolean): void {
  if (isOpen && !isLoopback(nameOf(host)))
    throw new ProblemError(
      'foreign-origin',
      'Without admin_token, the Host header must be localhost or an address of it',
    )
  if (origin !== undefined && origin.replace(/^https?:\/\//, '') !== host)
    throw new ProblemError('foreign-origin', 'The Origin header names another host')
  // A browser sends no Origin with an image, a script or a frame.
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new ProblemError('foreign-origin', 'The Sec-Fetch-Site header says that the page is of another host')
}

/** The name of a Host header, without port and brackets. */
function nameOf(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
}
