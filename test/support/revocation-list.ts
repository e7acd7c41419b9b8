/** Revocation lists that openssl does not make. */

type Element = { readonly start: number; readonly end: number }

/** The list without nextUpdate, which RFC 5280 §5.1.2.5 requires; its signature is no longer valid. */
export function withoutNextUpdate(pem: string): string {
  const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  const whole = elementAt(der, 0)
  const list = elementAt(der, whole.start)
  const fields: Buffer[] = []
  for (let at = list.start; at < list.end; at = elementAt(der, at).end)
    fields.push(der.subarray(at, elementAt(der, at).end))
  // thisUpdate, then nextUpdate: UTCTime, or GeneralizedTime.
  const [, nextUpdate] = fields.filter(([tag]) => tag === 0x17 || tag === 0x18)
  const kept = sequence(Buffer.concat(fields.filter(field => field !== nextUpdate)))
  const changed = sequence(Buffer.concat([kept, der.subarray(list.end, whole.end)]))
  return `-----BEGIN X509 CRL-----\n${changed.toString('base64')}\n-----END X509 CRL-----\n`
}

function elementAt(der: Buffer, at: number): Element {
  const first = der[at + 1] ?? 0
  const more = first < 0x80 ? 0 : first & 0x7f
  const start = at + 2 + more
  return { start, end: start + (more === 0 ? first : der.readUIntBE(at + 2, more)) }
}

function sequence(content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x30, 0x82, content.length >> 8, content.length & 255]), content])
}
