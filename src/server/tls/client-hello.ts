/**
 * The host that a TLS client asks for, read from its first message: a server with the certificates of that host then
 * does the handshake.
 *
 * Pure.
 * Spec: RFC 8446 §4.1.2 and §5.1, RFC 6066 §3.
 */

/**
 * `host` is `null` where the client names none, or the bytes are not a ClientHello: TLS itself reports the fault.
 * `refused`: no client sends so many bytes or records; OpenSSL takes 100 ms for the records that fit into 64 KiB. Empty
 * ones are forbidden (RFC 8446 §5.1).
 */
export type HelloReading =
  { readonly kind: 'partial' } | { readonly kind: 'hello'; readonly host: string | null } | { readonly kind: 'refused' }

const partial: HelloReading = { kind: 'partial' }
const nameless: HelloReading = { kind: 'hello', host: null }
const refused: HelloReading = { kind: 'refused' }

const handshakeRecord = 22
const clientHello = 1
/** In bytes, as of the longest record (RFC 8446 §5.1). A message with post-quantum key shares takes some 2 KiB. */
const maxMessage = 16_384
/** Of a record: type, version and length. In bytes. */
const headLength = 5
/** Clients send one or two; those that hide their name from filters send a few more. */
const maxRecords = 64

/**
 * Reads the start of a connection's bytes. The message may come in several records.
 *
 * @returns a function that takes all bytes so far; it reads each record once, however often it is called
 */
export function helloReader(): (bytes: Buffer) => HelloReading {
  const records: (readonly [from: number, to: number])[] = []
  const message = (bytes: Buffer, length: number): Buffer =>
    Buffer.concat(
      records.map(([from, to]) => bytes.subarray(from, to)),
      length,
    )
  let length = 0
  /** Where the message ends; unknown before its first four bytes. */
  let end = Infinity
  return bytes => {
    for (;;) {
      const from = (records.at(-1)?.[1] ?? 0) + headLength
      if (bytes.length === from - headLength) return partial
      if (records.length === maxRecords) return refused
      if (bytes[from - headLength] !== handshakeRecord) return nameless
      if (bytes.length < from) return partial
      const size = bytes.readUInt16BE(from - 2)
      if (size === 0 || length + size > maxMessage) return refused
      if (bytes.length < from + size) return partial
      records.push([from, from + size])
      length += size
      if (bytes[headLength] !== clientHello) return nameless
      if (length < 4) continue
      if (end === Infinity) end = 4 + message(bytes, 4).readUIntBE(1, 3)
      if (end > maxMessage) return refused
      if (length >= end) return { kind: 'hello', host: hostIn(message(bytes, end).subarray(4)) }
    }
  }
}

/** Its version and random bytes, in bytes. */
const fixedPart = 2 + 32
const serverName = 0
const hostName = 0

function hostIn(hello: Buffer): string | null {
  let at = fixedPart
  // The session id, the suites, the compression methods.
  for (const size of [1, 2, 1] as const) {
    const skipped = vectorAt(hello, at, size)
    if (skipped === null) return null
    at += size + skipped.length
  }
  const names = extensionIn(vectorAt(hello, at, 2), serverName)
  const list = names === null ? null : vectorAt(names, 0, 2)
  if (list?.[0] !== hostName) return null
  const host = vectorAt(list, 1, 2)?.toString('latin1') ?? ''
  return /^[\w.-]{1,255}$/.test(host) ? host : null
}

function extensionIn(extensions: Buffer | null, type: number): Buffer | null {
  for (let at = 0; extensions !== null && at + 4 <= extensions.length;) {
    const content = vectorAt(extensions, at + 2, 2)
    if (content === null || extensions.readUInt16BE(at) === type) return content
    at += 4 + content.length
  }
  return null
}

/** Bytes with their length in front (RFC 8446 §3.4); `null` where they are cut off. */
function vectorAt(bytes: Buffer, at: number, size: 1 | 2): Buffer | null {
  if (bytes.length < at + size) return null
  const end = at + size + bytes.readUIntBE(at, size)
  return end > bytes.length ? null : bytes.subarray(at + size, end)
}
