/**
 * Warns of certificates that expire soon, at the start and once a day.
 */
import type { Log } from '../../ops/log.ts'
import type { Opened } from '../../ops/server.ts'
import type { Tls } from './tls.ts'

const dayMs = 24 * 60 * 60_000
const soonMs = 30 * dayMs

export interface ExpiryWarnings extends Opened {
  /** Warns now of what expires soon. */
  check(): void
}

/** @param now in ms since the epoch */
export function openExpiryWarnings(
  certificates: readonly Pick<Tls, 'expiries'>[],
  log: Pick<Log, 'warn'>,
  now = Date.now,
): ExpiryWarnings {
  const check = (): void => {
    // Listeners may share a file.
    const expiries = new Map(certificates.flatMap(each => each.expiries))
    for (const [file, expiry] of expiries) {
      const leftMs = expiry * 1000 - now()
      if (leftMs > soonMs) continue
      const fields = { file, until: new Date(expiry * 1000).toISOString(), days: Math.floor(leftMs / dayMs) }
      log.warn(fields, leftMs < 0 ? 'a certificate has expired: renew it' : 'a certificate expires soon: renew it')
    }
  }
  check()
  const timer = setInterval(check, dayMs)
  return {
    check,
    close: () => {
      clearInterval(timer)
      return Promise.resolve()
    },
  }
}
