/**
 * OCPP-J's error codes, and how each version spells them.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.2.3 table 7, with errata 2025-04 §5.1 and §5.2 (the misspellings are frozen: "message level
 * change"); OCPP 2.0.1 Part 4 §4.3 table 8; OCPP 2.1 Part 4 table 9.
 */

/** Spelled as 2.x does. `in16` is the 1.6 word; where 1.6 has no such code, the nearest one that it has. */
export const errorCodes = {
  NotImplemented: { in16: 'NotImplemented', meaning: 'The action is not known' },
  NotSupported: { in16: 'NotSupported', meaning: 'The action is known, but not supported' },
  InternalError: { in16: 'InternalError', meaning: 'The CSMS failed to process the action' },
  ProtocolError: { in16: 'ProtocolError', meaning: 'The payload is incomplete' },
  SecurityError: { in16: 'SecurityError', meaning: 'A security issue keeps the action from being completed' },
  FormatViolation: { in16: 'FormationViolation', meaning: 'The payload is syntactically wrong' },
  PropertyConstraintViolation: { in16: 'PropertyConstraintViolation', meaning: 'A field has an invalid value' },
  OccurrenceConstraintViolation: {
    in16: 'OccurenceConstraintViolation',
    meaning: 'A field occurs too rarely or too often',
  },
  TypeConstraintViolation: { in16: 'TypeConstraintViolation', meaning: 'A field has the wrong data type' },
  GenericError: { in16: 'GenericError', meaning: 'None of the others' },
  MessageTypeNotSupported: { in16: 'NotSupported', meaning: 'The message type is not supported' },
  RpcFrameworkError: { in16: 'FormationViolation', meaning: 'Not a valid RPC message' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** The code a foreign spelling means, of whichever version; `null` for a word that is none. */
export function errorCodeOf(spelling: string): ErrorCode | null {
  for (const [code, { in16 }] of Object.entries(errorCodes)) {
    if (code === spelling || in16 === spelling) return code as ErrorCode
  }
  return null
}
