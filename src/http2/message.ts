/**
 * The fields of a response, or of its trailers: whether they are well-formed, and what HTTP/2 itself reads of them.
 *
 * Pure. Spec: RFC 9113 §8.1, §8.2 and §8.3.
 */
import type { Fields } from './hpack.ts'

export type Head = {
  /** Why the message is malformed; `null` if it is not. */
  readonly problem: string | null
  /** 0 for trailers. */
  readonly status: number
  /** `null` if the field is missing. */
  readonly contentLength: number | null
  readonly fields: Fields
}

/** Fields of HTTP/1.1 connections (RFC 9113 §8.2.2). */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
/** RFC 9113 §8.2.1: no controls, spaces or upper-case letters; and a colon at the start alone. */
const fieldName = /^:?[!-9;-@[-~]+$/
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/

/** @param fields  `null` for a list above the limit */
export function headOf(fields: Fields | null): Head {
  if (fields === null) return malformed('its fields are larger than this client accepts')
  let status = 0
  let contentLength: number | null = null
  let isAfterPseudo = false
  for (const [name, value] of fields) {
    if (!fieldName.test(name) || badValue.test(value)) return malformed('a field has characters that are not allowed')
    if (connectionFields.has(name)) return malformed(`the field ${name} is not for HTTP/2`)
    if (name.startsWith(':')) {
      if (name !== ':status' || isAfterPseudo || status > 0) return malformed(`${name} is not allowed there`)
      if (!/^[1-9]\d\d$/.test(value)) return malformed('the status is not a number of three digits')
      status = Number(value)
      continue
    }
    isAfterPseudo = true
    if (name !== 'content-length') continue
    if (!/^\d{1,15}$/.test(value) || contentLength !== null) return malformed('its content-length is not a number')
    contentLength = Number(value)
  }
  return { problem: null, status, contentLength, fields }
}

function malformed(problem: string): Head {
  return { problem, status: 0, contentLength: null, fields: [] }
}
