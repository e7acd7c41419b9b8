/**
 * What is wrong with a payload, by the schema of its action, and how a CALLERROR tells it.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.2.3 table 7; OCPP 2.0.1 Part 4 §4.3 table 8; OCPP 2.1 Part 4 table 9. Which code stands for which
 * rule of a schema is left open by all of them.
 */
import type { ErrorCode } from './errors.ts'

/** One way in which a payload breaks its schema. */
export type Violation = {
  /** A JSON pointer (RFC 6901) to the value at fault, or that a missing field would have; empty for the payload itself. */
  readonly path: string
  /** The schema's keyword that it breaks, such as `required`, `type`, `maxLength`. */
  readonly rule: string
}

/** The code for a broken rule; a rule that is not named is about the value of a field: `enum`, `maxLength`, `format`. */
export type ViolationCodes = ReadonlyMap<string, ErrorCode>

const shared: readonly (readonly [string, ErrorCode])[] = [
  ['required', 'OccurrenceConstraintViolation'],
  ['minItems', 'OccurrenceConstraintViolation'],
  ['maxItems', 'OccurrenceConstraintViolation'],
  ['type', 'TypeConstraintViolation'],
]
/** Table 7 counts what "is not conform the PDU structure" among the formation violations. */
export const violationCodes16: ViolationCodes = new Map([...shared, ['additionalProperties', 'FormatViolation']])
/** Tables 8 and 9 count it among the protocol errors. */
export const violationCodes2: ViolationCodes = new Map([...shared, ['additionalProperties', 'ProtocolError']])

export function violationCode(codes: ViolationCodes, { path, rule }: Violation): ErrorCode {
  if (path === '') return 'FormatViolation'
  return codes.get(rule) ?? 'PropertyConstraintViolation'
}

/** Where and what, in one line; no value of the message is repeated (2.x Part 4 §4.2.3). */
export function violationsInWords(violations: readonly Violation[]): string {
  return violations.map(({ path, rule }) => `${path === '' ? 'payload' : path}: ${rule}`).join('; ')
}
