/**
 * Which commands give a station a key, and what its answers say of that.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewKey } from '../../../src/ocpp/settings/keys.ts'
import { versions, type Version } from '../../../src/ocpp/version.ts'

const password = { component: { name: 'SecurityCtrlr' }, variable: { name: 'BasicAuthPassword' } }
const setKey = (key: string, more: object = {}) => ({
  setVariableData: [{ ...password, attributeValue: key, ...more }],
})
const keyResult = (attributeStatus: string, more: object = {}) => ({
  setVariableResult: [{ ...password, attributeStatus, ...more }],
})
const now = (text: string) => ({ text, isValid: 'now' }) as const
const later = (text: string) => ({ text, isValid: 'afterReboot' }) as const
const never = (text: string) => ({ text, isValid: 'never' }) as const

const ofX = { component: { name: 'SecurityCtrlr', instance: 'x' } }
const ofEvse = (id: number) => ({ component: { name: 'SecurityCtrlr', evse: { id } } })
const slot = { component: { name: 'NetworkConfiguration', instance: '1' } }
const profile = { configurationSlot: 1, connectionData: { basicAuthPassword: 'secret' } }

const newKeys: readonly (readonly [
  Version,
  command: object,
  answer: object,
  expected: readonly NewKey[],
  because: string,
])[] = [
  ['ocpp1.6', { key: 'AuthorizationKey', value: 'ab12' }, { status: 'Accepted' }, [now('ab12')], 'A01.FR.03'],
  ['ocpp1.6', { key: 'authorizationkey', value: 'ab12' }, { status: 'Accepted' }, [now('ab12')], 'names have no case'],
  [
    'ocpp1.6',
    { key: 'AuthorizationKey', value: 'ab12' },
    { status: 'RebootRequired' },
    [later('ab12')],
    'the old one counts',
  ],
  ['ocpp1.6', { key: 'AuthorizationKey', value: 'ab12' }, { status: 'Rejected' }, [never('ab12')], 'A01.FR.04'],
  ['ocpp1.6', { key: 'AuthorizationKey', value: 'ab12' }, { status: 'NotSupported' }, [never('ab12')], 'A01.FR.04'],
  [
    'ocpp1.6',
    { key: 'AuthorizationKey', value: 'ab12' },
    { status: 'accepted' },
    [],
    'an answer that OCPP does not know',
  ],
  ['ocpp1.6', { key: 'AuthorizationKey', value: 'ab12' }, {}, [], 'no status'],
  ['ocpp1.6', { key: 'AuthorizationKey', value: '' }, { status: 'Accepted' }, [now('')], 'no key at all'],
  ['ocpp1.6', { key: 'HeartbeatInterval', value: '60' }, { status: 'Accepted' }, [], 'another key'],
  ['ocpp2.0.1', setKey('secret'), keyResult('Accepted'), [now('secret')], 'A01.FR.03'],
  ['ocpp2.1', setKey('secret'), keyResult('RebootRequired'), [later('secret')], 'the old one counts'],
  ['ocpp2.0.1', setKey('secret'), keyResult('Rejected'), [never('secret')], 'A01.FR.04'],
  ['ocpp2.0.1', setKey('secret', { attributeType: 'Target' }), keyResult('Accepted'), [], 'another attribute'],
  [
    'ocpp2.0.1',
    { setVariableData: [...setKey('one').setVariableData, ...setKey('two', ofX).setVariableData] },
    {
      setVariableResult: [
        ...keyResult('UnknownComponent', ofX).setVariableResult,
        ...keyResult('Accepted', { component: { name: 'securityctrlr' } }).setVariableResult,
      ],
    },
    [now('one'), never('two')],
    'the results are in another order',
  ],
  [
    'ocpp2.0.1',
    { setVariableData: [...setKey('one', ofEvse(1)).setVariableData, ...setKey('two', ofEvse(2)).setVariableData] },
    keyResult('Accepted', ofEvse(2)),
    [now('two')],
    'the result is that of another EVSE',
  ],
  ['ocpp2.1', setKey('secret', slot), keyResult('Accepted', slot), [later('secret')], 'the slot may not be in use'],
  ['ocpp2.1', setKey('secret', slot), keyResult('Rejected', slot), [never('secret')], 'A01.FR.04'],
  ['ocpp2.1', profile, { status: 'Accepted' }, [later('secret')], 'the slot may not be in use'],
  ['ocpp2.1', profile, { status: 'Failed' }, [never('secret')], 'B09'],
  ['ocpp2.1', profile, {}, [], 'no status'],
  ['ocpp2.0.1', setKey('secret'), { setVariableResult: [] }, [], 'no result'],
  ['ocpp2.0.1', setKey('secret'), { setVariableResult: null }, [], 'nothing that can be read'],
  ...(
    [
      [['Rejected', 'Accepted'], [never('one'), now('two')], 'the second is accepted'],
      [['Accepted', 'Rejected'], [now('one'), never('two')], 'the first is accepted'],
      [['Accepted', 'Accepted'], [now('one'), now('two')], 'the second replaces the first'],
      [['RebootRequired', 'Rejected'], [later('one'), never('two')], 'the first counts after a reboot'],
      [['Rejected', 'Rejected'], [never('one'), never('two')], 'both are rejected'],
      [['Accepted'], [now('two')], 'one result'],
    ] as const
  ).map(
    ([statuses, expected, because]) =>
      [
        'ocpp2.0.1',
        { setVariableData: [...setKey('one').setVariableData, ...setKey('two').setVariableData] },
        { setVariableResult: statuses.flatMap(status => keyResult(status).setVariableResult) },
        expected,
        `twice in one message: ${because}`,
      ] as const,
  ),
]
for (const [version, command, answer, expected, because] of newKeys) {
  test(`${version}: ${JSON.stringify(command)} with ${JSON.stringify(answer)} says ${expected.map(({ isValid }) => isValid).join() || 'nothing'} of its key: ${because}`, () => {
    assert.deepEqual(versions[version].keys.settled(command as never, answer as never), expected)
  })
}

/** [version, command, keys, because] */
const given: readonly (readonly [Version, object, readonly string[], string])[] = [
  ['ocpp1.6', { key: 'AUTHORIZATIONKEY', value: 'ab12' }, ['ab12'], 'names have no case'],
  ['ocpp1.6', { key: 'AuthorizationKey', value: 5 }, [], 'no text'],
  ['ocpp1.6', { key: 'HeartbeatInterval', value: '60' }, [], 'another key'],
  ['ocpp2.0.1', setKey('secret'), ['secret'], 'a password'],
  [
    'ocpp2.1',
    { setVariableData: [...setKey('one').setVariableData, ...setKey('two').setVariableData] },
    ['one', 'two'],
    'two',
  ],
  ['ocpp2.0.1', setKey('secret', { attributeType: 'Target' }), [], 'another attribute'],
  ['ocpp1.6', { key: 'AuthorizationKey', value: '' }, [''], 'no key at all'],
  ['ocpp2.1', setKey('secret', slot), ['secret'], 'of a network configuration'],
  ['ocpp2.1', profile, ['secret'], 'of a network profile'],
  ['ocpp2.0.1', { connectionData: {} }, [], 'a network profile without one'],
  ['ocpp2.0.1', {}, [], 'nothing'],
]
for (const [version, command, keys, because] of given) {
  test(`${version}: ${JSON.stringify(command)} gives ${keys.length} keys: ${because}`, () => {
    assert.deepEqual(versions[version].keys.given(command as never), keys)
  })
}
