/**
 * Warns of certificates and revocation lists that expire soon: at the start, after a reload, and once a day.
 */
import type { Log } from '../../ops/log.ts'
import type { Opened } from '../../ops/http/server.ts'
import type { Validity } from './revocation-list.ts'

export type Expiry = {
  readonly file: string
  readonly kind: 'certificate' | 'revocation_list'
  /** In seconds since the epoch. */
  readonly until: number
  /** How long before that a warning is due, in seconds. */
  readonly noticeS: number
}

const hourMs = 60 * 60_000
const dayMs = 24 * hourMs
const monthS = (30 * dayMs) / 1000

/** @param until when the first certificate of the file expires */
export function expiryOfChain(file: string, until: number): Expiry {
  return { file, kind: 'certificate', until, noticeS: monthS }
}

/** Of the list that expires first. Lists often live a week or a day, so the warning is due for the last quarter. */
export function expiryOfLists(file: string, lists: readonly Validity[]): Expiry {
  const ends = lists.map(({ from, until }) => ({ from, until: until ?? Infinity }))
  const { from, until } = ends.reduce((first, each) => (each.until < first.until ? each : first))
  return { file, kind: 'revocation_list', until, noticeS: Math.min(monthS, (until - from) / 4) }
}

export interface ExpiryWarnings extends Opened {
  /** Warns now of what expires soon. */
  check(): void
}

/** @param now in ms since the epoch */
export function openExpiryWarnings(
  certificates: readonly { readonly expiries: readonly Expiry[] }[],
  log: Pick<Log, 'warn'>,
  now = Date.now,
): ExpiryWarnings {
  /** When each file was last named, and whether it had expired then. */
  const named = new Map<string, { readonly at: number; readonly isOver: boolean }>()
  /** @param isRepeat whether the hourly look asks: it names a file once a day */
  const warn = ({ file, kind, until, noticeS }: Expiry, isRepeat: boolean): void => {
    const leftMs = until * 1000 - now()
    if (leftMs > noticeS * 1000) return
    const isOver = leftMs < 0
    const last = named.get(file)
    if (isRepeat && last?.isOver === isOver && now() - last.at < dayMs) return
    named.set(file, { at: now(), isOver })
    const fields = { file, until: new Date(until * 1000).toISOString(), days: Math.floor(leftMs / dayMs) }
    if (kind === 'certificate')
      log.warn(fields, isOver ? 'a certificate has expired: renew it' : 'a certificate expires soon: renew it')
    else
      log.warn(
        fields,
        isOver
          ? 'a revocation list has expired: stations with a certificate are refused until it is renewed'
          : 'a revocation list expires soon: renew it',
      )
  }
  const check = (isRepeat: boolean): void => {
    // Listeners may share a file.
    const expiries = new Map(certificates.flatMap(each => each.expiries).map(each => [each.file, each]))
    for (const expiry of expiries.values()) warn(expiry, isRepeat)
  }
  check(false)
  // A list of a day expires between two daily checks.
  const timer = setInterval(() => check(true), hourMs)
  return {
    check: () => check(false),
    close: () => {
      clearInterval(timer)
      return Promise.resolve()
    },
  }
}
