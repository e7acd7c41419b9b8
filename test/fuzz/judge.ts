/**
 * Whether what the bridge sends is a frame, in the station's version and spelling.
 *
 * Spec: OCPP-J 1.6 §4.2 with errata 2025-04 §5; OCPP 2.0.1 Part 4 §4.2 and §4.3; OCPP 2.1 Part 4 §4.2 and table 9.
 */
import type { Version } from '../../src/ocpp/version.ts'
import { split } from './expected.ts'
import { commandsOf } from './payloads.ts'

const both = [
  'NotImplemented',
  'NotSupported',
  'InternalError',
  'ProtocolError',
  'SecurityError',
  'PropertyConstraintViolation',
  'TypeConstraintViolation',
  'GenericError',
]
const codes16: ReadonlySet<string> = new Set([...both, 'FormationViolation', 'OccurenceConstraintViolation'])
const codes2x: ReadonlySet<string> = new Set([
  ...both,
  'FormatViolation',
  'OccurrenceConstraintViolation',
  'MessageTypeNotSupported',
  'RpcFrameworkError',
])
const codesOf = { 'ocpp1.6': codes16, 'ocpp2.0.1': codes2x, 'ocpp2.1': codes2x }
const maxDescriptionLength = 255

export type Received = {
  readonly type: number
  /** As JSON text. */
  readonly id: string
  /** Of a CALL and a CALLRESULT, as JSON text. */
  readonly payload: string
}

/** Throws, with what is wrong with it. */
export function readFrame(text: string, version: Version): Received {
  const elements: unknown = JSON.parse(text)
  if (!Array.isArray(elements)) throw new Error('no array')
  const [type, id, third, fourth, fifth] = elements as unknown[]
  const { texts } = split(text)
  check(typeof id === 'string' || typeof id === 'number', 'an id that is none')
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
  switch (type) {
    case 2:
      check(elements.length === 4, 'a CALL needs four elements')
      check(typeof id === 'string' && id.length <= 36, 'an id of ours is a string of at most 36 characters')
      check(
        commandsOf(version).some(action => action === third),
        'no action that this version has to a station',
      )
      check(isObject(fourth), 'no payload')
      break
    case 3:
      check(elements.length === 3, 'a CALLRESULT needs three elements')
      check(isObject(third), 'no payload')
      break
    case 4:
    case 5:
      check(type === 4 || version === 'ocpp2.1', 'CALLRESULTERROR is of 2.1 only')
      check(elements.length === 5, 'a CALLERROR needs five elements')
      check(typeof third === 'string' && codesOf[version].has(third), 'a code that this version does not have')
      check(typeof fourth === 'string' && fourth.length <= maxDescriptionLength, 'a description that is none')
      check(isObject(fifth), 'details that are no object')
      break
    default:
      throw new Error('a message type that no CSMS sends')
  }
  return { type, id: texts[1] ?? '', payload: texts[type === 2 ? 3 : 2] ?? '' }
}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem)
}
