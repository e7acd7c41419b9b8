/**
 * Sessions of the console: a signed cookie stands for a token that was checked once. The browser never stores the
 * token, and scripts cannot read the cookie. Nothing is kept here, so a session outlives a restart of the bridge, and
 * ends when a token is changed.
 *
 * Pure but for the clock that it is given.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { AccessSettings, Grant } from '../http/access.ts'

/** How long a browser stays signed in. */
const lifetimeMs = 12 * 60 * 60 * 1000

/** Browsers send a cookie to all ports of a host, so its name tells bridges with other tokens apart. */
const namePrefix = 'ocpp-cable-'

export class Sessions {
  readonly #key: string
  readonly #name: string
  readonly #now: () => number

  /** @param now in ms since the epoch */
  constructor({ token, readToken }: AccessSettings, now: () => number) {
    this.#key = JSON.stringify([token, readToken])
    this.#name = namePrefix + this.#sign('name').slice(0, 8)
    this.#now = now
  }

  /** The value of Set-Cookie that signs a browser in. */
  cookieFor(grant: Grant): string {
    const content = `${grant === 'token' ? 'full' : 'read'}.${this.#now() + lifetimeMs}`
    return this.#cookie(`${content}.${this.#sign(content)}`, lifetimeMs / 1000)
  }

  /** The value of Set-Cookie that signs a browser out. */
  get noCookie(): string {
    return this.#cookie('', 0)
  }

  /** @param cookies the Cookie header */
  grantOf(cookies: string | undefined): Grant | null {
    for (const each of (cookies ?? '').split(';')) {
      const [name, value] = each.trim().split('=', 2)
      if (name === this.#name && value !== undefined) return this.#grantIn(value)
    }
    return null
  }

  #grantIn(value: string): Grant | null {
    const [kind = '', until = '', signature = ''] = value.split('.')
    if (!isSame(signature, this.#sign(`${kind}.${until}`)) || this.#now() >= Number(until)) return null
    return kind === 'full' ? 'token' : 'read token'
  }

  #sign(content: string): string {
    return createHmac('sha256', this.#key).update(`console ${content}`).digest('base64url')
  }

  /** Without `Secure`: the admin port has no TLS of its own. */
  #cookie(value: string, seconds: number): string {
    return `${this.#name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
