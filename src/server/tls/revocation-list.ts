/**
 * When a revocation list is valid, which Node does not tell: OpenSSL refuses every certificate of a CA whose list has
 * expired.
 *
 * Pure.
 * Spec: RFC 5280 §5.1.
 */

/** In seconds since the epoch. `until` is `null` for a list that never expires, against §5.1.2.5. */
export type Validity = { readonly from: number; readonly until: number | null }

const tags = { integer: 0x02, utcTime: 0x17, generalizedTime: 0x18, sequence: 0x30 } as const

/** @param pem one list that OpenSSL can read; throws if it is not a revocation list */
export function validityOf(pem: string): Validity {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  const list = elementAt(elementAt(der, 0, tags.sequence).content, 0, tags.sequence).content
  // The version is optional; then come the algorithm and the issuer.
  let at = list[0] === tags.integer ? elementAt(list, 0, tags.integer).end : 0
  at = elementAt(list, at, tags.sequence).end
  at = elementAt(list, at, tags.sequence).end
  const from = elementAt(list, at, tags.utcTime, tags.generalizedTime)
  const next = list[from.end]
  const isLast = next !== tags.utcTime && next !== tags.generalizedTime
  return {
    from: secondsOf(from),
    until: isLast ? null : secondsOf(elementAt(list, from.end, tags.utcTime, tags.generalizedTime)),
  }
}

type Element = { readonly tag: number; readonly content: Buffer; readonly end: number }

function elementAt(bytes: Buffer, at: number, ...expected: readonly number[]): Element {
  const tag = bytes[at] ?? 0
  const first = bytes[at + 1] ?? 0
  // The long form has the number of its length's bytes first.
  const more = first < 0x80 ? 0 : first & 0x7f
  const start = at + 2 + more
  const length = more === 0 ? first : more > 4 || start > bytes.length ? Infinity : bytes.readUIntBE(at + 2, more)
  if (!expected.includes(tag) || start + length > bytes.length) throw new Error('this is not a revocation list')
  return { tag, content: bytes.subarray(start, start + length), end: start + length }
}

/** §4.1.2.5: both forms end with seconds and Z; a year of two digits is of 1950 to 2049. */
function secondsOf({ tag, content }: Element): number {
  const text = content.toString('latin1')
  const digits = tag === tags.utcTime ? `${Number(text.slice(0, 2)) < 50 ? 20 : 19}${text}` : text
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? []
  const [year = NaN, month = NaN, ...rest] = parts.map(Number)
  const time = Date.UTC(year, month - 1, ...rest)
  if (Number.isNaN(time)) throw new Error('a time of the revocation list cannot be read')
  return time / 1000
}
