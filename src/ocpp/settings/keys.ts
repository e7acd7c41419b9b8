/**
 * Commands that give a station its key for HTTP Basic, and what its answers say of the key.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP 1.6 security white paper A01; OCPP 2.0.1 and 2.1 Part 2 A01, and B09 of 2.1.
 */
import { isObject } from '../json.ts'
import { isName, setIn, variablesIn } from './variables.ts'

type Payload = Readonly<Record<string, unknown>>

/**
 * A station's new key, as the command spells it. `afterReboot`: the station has accepted it, and may use the old one
 * for some time yet. `never`: it has refused the key.
 */
export type NewKey = { readonly text: string; readonly isValid: 'now' | 'afterReboot' | 'never' }

export type KeyRules = {
  /** The commands that may give a key. */
  readonly commands: ReadonlySet<string>
  /** The keys in such a command, as it spells them: in 1.6 the hexadecimal digits of bytes. */
  given(command: Payload): readonly string[]
  /** What the answer says of them; nothing of one that it neither accepts nor refuses. */
  settled(command: Payload, answer: Payload): readonly NewKey[]
}

export const keys16: KeyRules = {
  commands: new Set(['ChangeConfiguration']),
  given: ({ key, value }) => (isName(key, 'AuthorizationKey') ? textsOf(value) : []),
  settled: (command, { status }) => keys16.given(command).flatMap(text => newKeyOf(text, status)),
}

/** 2.1 has a key for each network configuration, too. It counts once the station uses that one. */
const ofStation = 'SecurityCtrlr'
export const keyComponents = [ofStation, 'NetworkConfiguration']
export const keyVariable = 'BasicAuthPassword'

export const keys2x: KeyRules = {
  commands: new Set(['SetVariables', 'SetNetworkProfile']),
  given: command => [
    ...variablesIn(command['setVariableData'], keyComponents, keyVariable).flatMap(data =>
      textsOf(data['attributeValue']),
    ),
    ...ofProfile(command),
  ],
  settled: (command, { setVariableResult, status: profileStatus }) => [
    ...setIn(command['setVariableData'], setVariableResult, keyComponents, keyVariable).flatMap(({ data, status }) => {
      const { component, attributeValue } = data
      const isOfStation = isObject(component) && isName(component['name'], ofStation)
      return textsOf(attributeValue).flatMap(text => (isOfStation ? newKeyOf(text, status) : slotKeyOf(text, status)))
    }),
    ...ofProfile(command).flatMap(text => slotKeyOf(text, profileStatus)),
  ],
}

/** Of SetNetworkProfile in 2.1. */
function ofProfile({ connectionData }: Payload): readonly string[] {
  return isObject(connectionData) ? textsOf(connectionData['basicAuthPassword']) : []
}

function textsOf(value: unknown): readonly string[] {
  return typeof value === 'string' ? [value] : []
}

/** A01.FR.03 and 04. */
const validityBy: ReadonlyMap<unknown, NewKey['isValid']> = new Map<unknown, NewKey['isValid']>([
  ['Accepted', 'now'],
  ['RebootRequired', 'afterReboot'],
  ['Rejected', 'never'],
  ['NotSupported', 'never'],
  ['UnknownComponent', 'never'],
  ['UnknownVariable', 'never'],
  ['NotSupportedAttributeType', 'never'],
  ['Failed', 'never'],
])

function newKeyOf(text: string, status: unknown): readonly NewKey[] {
  const isValid = validityBy.get(status)
  return isValid === undefined ? [] : [{ text, isValid }]
}

function slotKeyOf(text: string, status: unknown): readonly NewKey[] {
  return newKeyOf(text, status === 'Accepted' ? 'RebootRequired' : status)
}
