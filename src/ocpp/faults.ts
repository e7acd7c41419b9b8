/**
 * The ways in which a frame can be malformed, and each version's answer: an error code, or none (`null`).
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP-J 1.6 §4.1.3, §4.2.3 and §4.4; OCPP 2.0.1 Part 4 §4.2.3 and §4.4; OCPP 2.1 Part 4 §4.2.3 and §4.4.
 */
import type { ErrorCode } from './errors.ts'

/** The error descriptions sent to the station. They quote nothing of its message (2.x Part 4 §4.2.3). */
export const faults = {
  /** Nor is there a readable message id. */
  notJson: 'Not valid JSON',
  brokenJson: 'The message is not valid JSON',
  notArray: 'Not a JSON array',
  noType: 'The message type is not a number',
  unknownType: 'The message type is unknown',
  noId: 'The message id is missing, or not a string of at most 255 characters',
  emptyId: 'The message id is empty',
  shape: 'The message does not have the elements of its type',
  payload: 'The payload is not an object',
  outOfBounds: 'The message has too many elements, or nests too deeply',
} as const

export type Fault = keyof typeof faults
export type FaultCodes = Readonly<Record<Fault, ErrorCode | null>>

/** 1.6 does not answer a message whose id cannot be read, and ignores unknown types. */
export const quiet: FaultCodes = {
  notJson: null,
  brokenJson: 'FormatViolation',
  notArray: null,
  noType: null,
  unknownType: null,
  noId: null,
  emptyId: 'FormatViolation',
  shape: 'FormatViolation',
  payload: 'FormatViolation',
  outOfBounds: 'FormatViolation',
}

/** 2.0.1 answers every fault, under the id "-1" if the message's own cannot be read. */
export const spoken: FaultCodes = {
  notJson: 'RpcFrameworkError',
  brokenJson: 'RpcFrameworkError',
  notArray: 'RpcFrameworkError',
  noType: 'RpcFrameworkError',
  unknownType: 'MessageTypeNotSupported',
  noId: 'RpcFrameworkError',
  emptyId: 'RpcFrameworkError',
  shape: 'RpcFrameworkError',
  payload: 'FormatViolation',
  outOfBounds: 'FormatViolation',
}

/** 2.1 ignores unknown types, as 1.6 does. */
export const spokenButTypes: FaultCodes = { ...spoken, unknownType: null }
