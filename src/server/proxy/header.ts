/**
 * The header of the PROXY protocol, version 1 (text) and 2 (binary), that a proxy sends before the first byte of the
 * connection that it passes on.
 *
 * Pure.
 * Spec: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, §2 (the sections cited below).
 */
import { isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress } from './addresses.ts'
import { crc32c } from './crc32c.ts'

/** What a header says of the connection behind the proxy. */
export type ProxyHeader = {
  /** Of the client; `null` if the proxy speaks for itself, or does not tell it. */
  readonly address: string | null
  /** The TLS that the proxy has terminated; `null` for none. */
  readonly tls: ProxyTls | null
  /** Of the header itself, in bytes. */
  readonly length: number
}

export type ProxyTls = {
  /** The client's certificate; `null` if it sent none. */
  readonly certificate: { readonly isVerified: boolean; readonly commonName: string | null } | null
}

export type HeaderReading =
  | { readonly kind: 'header'; readonly header: ProxyHeader }
  /** More bytes are needed. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'malformed'; readonly problem: string }

const partial: HeaderReading = { kind: 'partial' }
const malformed = (problem: string): HeaderReading => ({ kind: 'malformed', problem })

const signature1 = Buffer.from('PROXY ')
const signature2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n')

/** Reads the header at the start of a connection's bytes; a deviation is reported at the first byte that shows it. */
export function readHeader(bytes: Buffer): HeaderReading {
  if (startsLike(bytes, signature1)) return bytes.length < signature1.length ? partial : readText(bytes)
  if (startsLike(bytes, signature2)) return bytes.length < signature2.length ? partial : readBinary(bytes)
  return malformed('there is none')
}

function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.subarray(0, length).equals(signature.subarray(0, length))
}

/** §2.1: the longest line, with its CRLF. */
const maxLine = 107

function readText(bytes: Buffer): HeaderReading {
  const end = bytes.subarray(0, maxLine).indexOf('\n')
  if (end === -1) return bytes.length < maxLine ? partial : malformed('the line is longer than 107 bytes')
  const line = bytes.toString('latin1', 0, end + 1)
  // The proxy does not know the client: what follows the word is ignored.
  if (/^PROXY UNKNOWN(?: [^\r]*)?\r\n$/.test(line)) return unknown(end + 1)
  const [, family, source = '', destination = '', ...ports] =
    /^PROXY (TCP[46]) ([\d.:A-Fa-f]+) ([\d.:A-Fa-f]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/.exec(line) ?? []
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
  const isRight = isAddress(source) && isAddress(destination) && ports.every(port => Number(port) <= 65535)
  if (family === undefined || !isRight) return malformed('the line is not one of version 1')
  return { kind: 'header', header: { address: canonicalAddress(source), tls: null, length: end + 1 } }
}

const unknown = (length: number): HeaderReading => ({ kind: 'header', header: { address: null, tls: null, length } })

/** The signature, version and command, family and protocol, and the length of what follows. */
const prefixLength = 16
/** In bytes. A header with all that is read here takes less than 1 KiB; no proxy's own fields take the rest. */
const maxLength = 4096

/** §2.2: bytes of a source and a destination, by family: none, IPv4, IPv6, UNIX. */
const addressLengths = [0, 12, 36, 216]

function readBinary(bytes: Buffer): HeaderReading {
  const [command = 0x20, family = 0] = bytes.subarray(12)
  if (command !== 0x20 && command !== 0x21) return malformed('the version or the command is unknown')
  if (family >> 4 > 3 || (family & 15) > 2) return malformed('the address family or the protocol is unknown')
  if (bytes.length < prefixLength) return partial
  const length = prefixLength + bytes.readUInt16BE(14)
  if (length > maxLength) return malformed(`it is longer than ${maxLength} bytes`)
  const addressLength = addressLengths[family >> 4] ?? 0
  const isLocal = command === 0x20
  if (!isLocal && length < prefixLength + addressLength) return malformed('the addresses do not fit in')
  if (bytes.length < length) return partial
  // A health check of the proxy's own, or a family that is not specified: the rest is skipped, whatever it is.
  if (isLocal || family >> 4 === 0) return unknown(length)
  const fields = readFields(bytes.subarray(prefixLength + addressLength, length))
  if (fields === null) return malformed('a field does not fit in')
  if (!isChecked(bytes.subarray(0, length), fields)) return malformed('the checksum is wrong')
  const tls = readTls(fields.get(fieldTypes.ssl))
  if (tls === undefined) return malformed('the TLS field is not one')
  return { kind: 'header', header: { address: addressIn(bytes, family), tls, length } }
}

/** `null` for a UNIX socket and for UDP: neither is how a station connects. */
function addressIn(bytes: Buffer, family: number): string | null {
  if (family === 0x11) return bytes.subarray(prefixLength, prefixLength + 4).join('.')
  if (family !== 0x21) return null
  const groups = bytes.toString('hex', prefixLength, prefixLength + 16).match(/.{4}/g) ?? []
  return canonicalAddress(groups.join(':'))
}

/** §2.2: the types of the fields (TLVs) that are read, and of those within the TLS field. */
const fieldTypes = { crc32c: 0x03, noop: 0x04, ssl: 0x20, commonName: 0x22 }

type Fields = ReadonlyMap<number, Buffer>

/** `null` if they do not fill the bytes, or if one is there twice: which of the two counts is not known. */
function readFields(bytes: Buffer): Fields | null {
  const fields = new Map<number, Buffer>()
  let at = 0
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return null
    const type = bytes.readUInt8(at)
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    if (end > bytes.length || fields.has(type)) return null
    if (type !== fieldTypes.noop) fields.set(type, bytes.subarray(at + 3, end))
    at = end
  }
  return fields
}

/** §2.2.3: the checksum covers the whole header, its own four bytes as zeros. */
function isChecked(header: Buffer, fields: Fields): boolean {
  const checksum = fields.get(fieldTypes.crc32c)
  if (checksum === undefined) return true
  if (checksum.length !== 4) return false
  const copy = Buffer.from(header)
  copy.fill(0, checksum.byteOffset - header.byteOffset, checksum.byteOffset - header.byteOffset + 4)
  return crc32c(copy) === checksum.readUInt32BE()
}

/**
 * §2.2.5: bits of the client byte: TLS was used; a certificate came with this connection, or within the TLS session.
 */
const clientBits = { tls: 1, certificate: 2 | 4 }

/** `undefined` if it is malformed. */
function readTls(field: Buffer | undefined): ProxyTls | null | undefined {
  if (field === undefined) return null
  if (field.length < 5) return undefined
  const client = field.readUInt8(0)
  const fields = readFields(field.subarray(5))
  if (fields === null) return undefined
  if ((client & clientBits.tls) === 0) return null
  if ((client & clientBits.certificate) === 0) return { certificate: null }
  const commonName = fields.get(fieldTypes.commonName)?.toString('utf8') ?? null
  return { certificate: { isVerified: field.readUInt32BE(1) === 0, commonName } }
}
