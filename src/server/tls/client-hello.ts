/**
 * The host that a TLS client asks for, read from its first message: a server with the certificates of that host then
 * does the handshake.
 *
 * Pure.
 * Spec: RFC 8446 §4.1.2 and §5.1, RFC 6066 §3.
 */

/** `host` is `null` where the client names none, or the bytes are not a ClientHello: TLS itself reports the fault. */
export type HelloReading = { readonly kind: 'partial' } | { readonly kind: 'hello'; readonly host: string | null }

const partial: HelloReading = { kind: 'partial' }
const nameless: HelloReading = { kind: 'hello', host: null }

const handshakeRecord = 22
const clientHello = 1
/** RFC 8446 §5.1, in bytes. */
const maxRecord = 16_384
/** In bytes. With post-quantum key shares, a message takes some 2 KiB. */
const maxMessage = 16_384

/** Reads the start of a connection's bytes. The message may come in several records. */
export function readHello(bytes: Buffer): HelloReading {
  let message = Buffer.alloc(0)
  for (let at = 0; ;) {
    if (bytes.length === at) return partial
    if (bytes[at] !== handshakeRecord) return nameless
    if (bytes.length < at + 5) return partial
    const length = bytes.readUInt16BE(at + 3)
    if (length === 0 || length > maxRecord) return nameless
    if (bytes.length < at + 5 + length) return partial
    message = Buffer.concat([message, bytes.subarray(at + 5, at + 5 + length)])
    at += 5 + length
    if (message[0] !== clientHello) return nameless
    if (message.length < 4) continue
    const end = 4 + message.readUIntBE(1, 3)
    if (end > maxMessage) return nameless
    if (message.length >= end) return { kind: 'hello', host: hostIn(message.subarray(4, end)) }
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
