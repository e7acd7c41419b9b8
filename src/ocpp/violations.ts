/**
 * Schema violations of a payload, and how a CALLERROR reports them.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.2.3 table 7; OCPP 2.0.1 Part 4 §4.3 table 8; OCPP 2.1 Part 4 table 9. None of them maps the rules
 * of a schema to error codes.
 */
import type { ErrorCode } from './errors.ts'

/** One way in which a payload breaks its schema. */
export type Violation = {
  /** A JSON pointer (RFC 6901) to the invalid value or the missing field; empty for the payload itself. */
  readonly path: string
  /** The violated schema keyword, such as `required`, `type`, `maxLength`. */
  readonly rule: string
}

/** The error code of each rule. Rules not listed constrain a field's value, such as `enum`, `maxLength` or `format`. */
export type ViolationCodes = ReadonlyMap<string, ErrorCode>

const shared: readonly (readonly [string, ErrorCode])[] = [
  ['required', 'OccurrenceConstraintViolation'],
  ['minItems', 'OccurrenceConstraintViolation'],
  ['maxItems', 'OccurrenceConstraintViolation'],
  ['type', 'TypeConstraintViolation'],
]
/** Table 7 counts a payload that "is not conform the PDU structure" as a FormationViolation. */
export const violationCodes16: ViolationCodes = new Map([...shared, ['additionalProperties', 'FormatViolation']])
/** Tables 8 and 9 count it as a ProtocolError. */
export const violationCodes2: ViolationCodes = new Map([...shared, ['additionalProperties', 'ProtocolError']])

export function violationCode(codes: ViolationCodes, { path, rule }: Violation): ErrorCode {
  if (path === '') return 'FormatViolation'
  return codes.get(rule) ?? 'PropertyConstraintViolation'
}

/** One line with path and rule of each violation. It quotes no value of the message (2.x Part 4 §4.2.3). */
export function violationsInWords(violations: readonly Violation[]): string {
  return violations.map(({ path, rule }) => `${path === '' ? 'payload' : path}: ${rule}`).join('; ')
}
