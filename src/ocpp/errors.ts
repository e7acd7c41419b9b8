/**
 * OCPP-J's error codes and their spelling in each version.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.2.3 table 7, with errata 2025-04 §5.1 and §5.2 (the misspellings stay, as fixing them would be a
 * "message level change"); OCPP 2.0.1 Part 4 §4.3 table 8; OCPP 2.1 Part 4 table 9.
 */

/** Spelled as in 2.x. `in16` is the spelling in 1.6, or the nearest code where 1.6 has none. */
export const errorCodes = {
  NotImplemented: { in16: 'NotImplemented', meaning: 'Unknown action' },
  NotSupported: { in16: 'NotSupported', meaning: 'The action is known, but not supported' },
  InternalError: { in16: 'InternalError', meaning: 'The CSMS failed to process the action' },
  ProtocolError: { in16: 'ProtocolError', meaning: 'The payload is incomplete' },
  SecurityError: { in16: 'SecurityError', meaning: 'A security issue prevents the action from completing' },
  FormatViolation: { in16: 'FormationViolation', meaning: 'The payload is syntactically wrong' },
  PropertyConstraintViolation: { in16: 'PropertyConstraintViolation', meaning: 'A field has an invalid value' },
  OccurrenceConstraintViolation: {
    in16: 'OccurenceConstraintViolation',
    meaning: 'A field occurs too rarely or too often',
  },
  TypeConstraintViolation: { in16: 'TypeConstraintViolation', meaning: 'A field has the wrong data type' },
  GenericError: { in16: 'GenericError', meaning: 'Any other error' },
  MessageTypeNotSupported: { in16: 'NotSupported', meaning: 'The message type is not supported' },
  RpcFrameworkError: { in16: 'FormationViolation', meaning: 'Not a valid RPC message' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** The code of a spelling in any version; `null` for an unknown one. */
export function errorCodeOf(spelling: string): ErrorCode | null {
  for (const [code, { in16 }] of Object.entries(errorCodes)) {
    if (code === spelling || in16 === spelling) return code as ErrorCode
  }
  return null
}
