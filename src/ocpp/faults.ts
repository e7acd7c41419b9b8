/**
 * The ways in which a frame can be broken, and what each version answers: a code, or silence (`null`).
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.1.3, §4.2.3 and §4.4; OCPP 2.0.1 Part 4 §4.2.3 and §4.4; OCPP 2.1 Part 4 §4.2.3 and §4.4.
 */
import type { ErrorCode } from './errors.ts'

/** Each fault in words; a station reads them, so nothing of its message is repeated (2.x Part 4 §4.2.3). */
export const faults = {
  notJson: 'Not a JSON text',
  notArray: 'Not a JSON array',
  noType: 'The message type is not a number',
  unknownType: 'The message type is not known',
  noId: 'The message id is missing, or not a string of at most 255 characters',
  emptyId: 'The message id is empty',
  shape: 'The message has not the elements of its type',
  payload: 'The payload is not an object',
  outOfBounds: 'The message has too many elements, or nests too deeply',
} as const

export type Fault = keyof typeof faults
export type FaultCodes = Readonly<Record<Fault, ErrorCode | null>>

/** 1.6 has no answer for a message whose id cannot be read, and ignores unknown types. */
export const quiet: FaultCodes = {
  notJson: null,
  notArray: null,
  noType: null,
  unknownType: null,
  noId: null,
  emptyId: 'FormatViolation',
  shape: 'FormatViolation',
  payload: 'FormatViolation',
  outOfBounds: 'FormatViolation',
}

/** 2.0.1 answers each; where the id cannot be read, to "-1". */
export const spoken: FaultCodes = {
  notJson: 'RpcFrameworkError',
  notArray: 'RpcFrameworkError',
  noType: 'RpcFrameworkError',
  unknownType: 'MessageTypeNotSupported',
  noId: 'RpcFrameworkError',
  emptyId: 'RpcFrameworkError',
  shape: 'RpcFrameworkError',
  payload: 'FormatViolation',
  outOfBounds: 'FormatViolation',
}

/** 2.1 ignores unknown types again. */
export const spokenButTypes: FaultCodes = { ...spoken, unknownType: null }
