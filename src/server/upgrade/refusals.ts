/**
 * The last answer on a connection that does not become a station's, and what Node's errors say of bytes that are no
 * request.
 */
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { endWith } from '../../ops/http/lingering.ts'
import { refused, type Refusal } from '../../translate/handshake.ts'

/** Sends an HTTP error as the last words on a connection. */
export function refuse(stream: Duplex, { status, problem, headers }: Refusal): void {
  const body = `${problem}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  endWith(stream, `${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** Node's error for bytes that are no request, or for a request that takes too long. */
export type ClientError = Error & {
  readonly code?: string
  /** The bytes in which the parser failed, and how many of them it had accepted. */
  readonly rawPacket?: Buffer
  readonly bytesParsed?: number
}

/** Why bytes are not a request, as far as they tell. Nothing of it is a header's value. */
export type Unreadable = {
  readonly refusal: Refusal
  /** The request target; empty if unknown. */
  readonly target: string
  /** The header that cannot be read; `null` if unknown. */
  readonly header: string | null
}

const statusOfError: ReadonlyMap<string, 408 | 431> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
] as const)

/** @returns `null` for an error of the connection itself, over which nothing can be said any more */
export function readClientError({ code = '', rawPacket, bytesParsed = 0 }: ClientError): Unreadable | null {
  const status = statusOfError.get(code)
  const isSyntax = code.startsWith('HPE_')
  if (status === undefined && !isSyntax) return null
  const unknown = { target: '', header: null }
  const malformed = 'Malformed HTTP request'
  if (!isSyntax || rawPacket === undefined) return { refusal: refused(status ?? 400, 'request', malformed), ...unknown }
  if (code === 'HPE_INVALID_METHOD' && isTls(rawPacket))
    return { refusal: refused(400, 'tls', 'TLS on a port without TLS'), ...unknown }
  const head = rawPacket.toString('latin1')
  const [, target = ''] = /^[A-Z]+ (\S+) HTTP\/\d\.\d\r\n/.exec(head) ?? []
  const header = code === 'HPE_HEADER_OVERFLOW' ? null : headerAt(head, bytesParsed)
  return { refusal: refused(status ?? 400, 'request', `${malformed} (${code})`), target, header }
}

/** A handshake record of any version of TLS (RFC 8446 §5.1). */
function isTls(bytes: Buffer): boolean {
  return bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 3)
}

/** What HTTP, WebSocket and proxies use. Any other name may be the rest of a value that a line break has split. */
const knownHeaders: ReadonlySet<string> = new Set(
  `accept accept-encoding accept-language authorization cache-control connection content-encoding content-length
  content-type cookie date expect forwarded from host keep-alive max-forwards origin pragma proxy-authorization
  proxy-connection referer sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version te
  traceparent tracestate trailer transfer-encoding upgrade user-agent via x-client-cert x-forwarded-client-cert
  x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-real-ip x-request-id`.split(/\s+/),
)

/**
 * The name of the header at an offset, if it is known. A line without a colon is the rest of the value before it. Only
 * CRLF begins a header here: what follows a lone line feed may be part of a value.
 */
function headerAt(head: string, offset: number): string | null {
  const end = head.indexOf('\r\n', offset)
  const lines = head.slice(0, end === -1 ? undefined : end).split('\r\n')
  for (const line of lines.slice(1).reverse()) {
    const [name = '', ...values] = line.split(':', 2)
    if (values.length > 0) return knownHeaders.has(name.toLowerCase()) ? name : null
  }
  return null
}
