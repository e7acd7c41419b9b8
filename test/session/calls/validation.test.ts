/** Messages that violate their official schema, by mode, direction and version. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Version } from '../../../src/ocpp/version.ts'
import type { ValidationMode } from '../../../src/translate/validation.ts'
import { acks, dataOf, FakeWorld, quiet, transmitted } from '../../support/fakes.ts'

const modes: readonly ValidationMode[] = ['off', 'warn', 'strict']
const timestamp = '2026-01-02T03:04:05Z'
const badStatus = { connectorId: 'one', errorCode: 'NoError', status: 'Available' }
const goodStatus = { ...badStatus, connectorId: 1 }
const badMeter = { connectorId: 1, meterValue: [{ timestamp, sampledValue: [{ value: 7 }] }] }
const wrongStatus = [{ path: '/connectorId', rule: 'type' }]
const wrongMeter = [{ path: '/meterValue/0/sampledValue/0/value', rule: 'type' }]

const calls: readonly [ValidationMode, string, object, readonly unknown[] | null, unknown[]][] = [
  ['off', 'StatusNotification', badStatus, null, [3, 'x', {}]],
  ['warn', 'StatusNotification', badStatus, wrongStatus, [3, 'x', {}]],
  ['warn', 'StatusNotification', goodStatus, null, [3, 'x', {}]],
  ['strict', 'StatusNotification', goodStatus, null, [3, 'x', {}]],
  ['warn', 'MeterValues', badMeter, wrongMeter, [3, 'x', {}]],
  ['strict', 'MeterValues', badMeter, wrongMeter, [3, 'x', {}]],
]
for (const [mode, action, payload, violations, answer] of calls) {
  test(`${action} ${JSON.stringify(payload)} is performed with violations ${JSON.stringify(violations)} in mode ${mode}`, async t => {
    const world = new FakeWorld(t, { validateIn: mode })
    const station = world.plug('CP1')
    station.call(action, payload, 'x')
    assert.deepEqual(await station.next(), answer)
    const data = dataOf(world.rpc.made.all.at(-1) ?? {})
    assert.deepEqual(data['violations'] ?? null, violations)
    assert.deepEqual(data.payload, payload)
    assert.equal(world.meter.total('ocpp_violation_total', { direction: 'in', action }), violations === null ? 0 : 1)
  })
}

test('a CALL that is served at once is validated as it was parsed, and one that waits keeps its text only', async t => {
  const world = new FakeWorld(t, { validateIn: 'warn' })
  const { mock } = t.mock.method(world.schemas, 'violations')
  const station = world.plug('CP1')
  for (const id of ['x', 'y']) station.call('StatusNotification', goodStatus, id)
  for (let answers = 0; answers < 2; answers++) await station.next()
  const requests = mock.calls.map(call => call.arguments).filter(([, , message]) => message === 'request')
  const values = requests.map(([, , , payload, value]) => [JSON.parse(payload) as unknown, value])
  assert.deepEqual(values, [
    [goodStatus, goodStatus],
    [goodStatus, undefined],
  ])
})

const refused: readonly [Version, string, object, string, string][] = [
  ['ocpp1.6', 'StatusNotification', badStatus, 'TypeConstraintViolation', '/connectorId: type'],
  ['ocpp1.6', 'StatusNotification', { connectorId: 1 }, 'OccurenceConstraintViolation', '/errorCode: required; /status: required'], // prettier-ignore
  ['ocpp1.6', 'Heartbeat', { more: 1 }, 'FormationViolation', '/more: additionalProperties'],
  ['ocpp2.0.1', 'Heartbeat', { more: 1 }, 'ProtocolError', '/more: additionalProperties'],
  ['ocpp2.1', 'StatusNotification', { timestamp, connectorStatus: 'Sleepy', evseId: 1, connectorId: 1 }, 'PropertyConstraintViolation', '/connectorStatus: enum'], // prettier-ignore
  ['ocpp2.0.1', 'LogStatusNotification', {}, 'OccurrenceConstraintViolation', '/status: required'],
]
for (const [version, action, payload, code, description] of refused) {
  test(`${version} ${action} ${JSON.stringify(payload)} is answered with ${code} and not performed in mode strict`, async t => {
    const world = new FakeWorld(t, { validateIn: 'strict' })
    const station = world.plug('CP1', { version })
    station.call(action, payload, 'x')
    assert.deepEqual(await station.next(), [4, 'x', code, description, {}])
    assert.deepEqual(world.rpc.names(), [])
    assert.equal(world.meter.total('ocpp_call_total', { answer: 'rejected' }), 1)
  })
}

test('a rule for stations and an action overrides the mode', async t => {
  const validation = [{ station: 'ABB-*', action: 'StatusNotification', mode: 'off' }] as const
  const world = new FakeWorld(t, { validateIn: 'strict', validation })
  const [lax, strict] = [world.plug('ABB-7'), world.plug('KEBA-7')]
  lax.call('StatusNotification', badStatus, 'x')
  strict.call('StatusNotification', badStatus, 'x')
  assert.deepEqual(await lax.next(), [3, 'x', {}])
  assert.equal((await strict.next())[0], 4)
})

test('a violation is logged once when two stations send it', async t => {
  const world = new FakeWorld(t, { validateIn: 'warn' })
  const [one, two] = [world.plug('CP1'), world.plug('CP2')]
  for (const station of [one, two]) {
    station.call('StatusNotification', badStatus, 'x')
    await station.next()
  }
  assert.deepEqual([...world.notices.values()], ['a message from a station violates its official schema'])
})

for (const mode of modes) {
  test(`a remote command that violates its schema ${mode === 'strict' ? 'fails with InvalidPayload' : 'is sent'} in mode ${mode}`, async t => {
    const world = new FakeWorld(t, { validateOut: mode })
    const station = world.plug('CP1')
    await station.boot('SN1')
    world.broadcast('SN1', { command: 'Reset', id: 'r', payload: { type: 'Medium' } })
    if (mode !== 'strict') return assert.deepEqual(await station.next(), [2, 'r', 'Reset', { type: 'Medium' }])
    const { code, message, request } = dataOf(await world.rpc.next('error'))
    assert.deepEqual([code, request], ['InvalidPayload', 'Reset'])
    assert.match(String(message), /: \/type: enum$/)
    await quiet()
    assert.equal(station.got.length, 1, 'only the answer to the boot')
  })
}

const results: readonly [Version, ValidationMode, 'ack' | 'error', boolean][] = [
  ['ocpp1.6', 'warn', 'ack', false],
  ['ocpp1.6', 'strict', 'ack', false],
  ['ocpp2.0.1', 'strict', 'ack', false],
  ['ocpp2.1', 'warn', 'ack', false],
  ['ocpp2.1', 'strict', 'error', true],
]
for (const [version, mode, name, isAnswered] of results) {
  test(`a CALLRESULT that violates its schema performs ${name} and ${isAnswered ? 'gets' : 'does not get'} a CALLRESULTERROR in ${version}, mode ${mode}`, async t => {
    const world = new FakeWorld(t, { validateIn: mode })
    const station = world.plug('CP1', { version })
    await world.pass(0)
    station.call('Heartbeat')
    await station.next()
    world.broadcast('CP1', { command: 'ClearCache', id: 'c', payload: {} })
    await station.next()
    station.says([3, 'c', { status: 'Perhaps' }])
    const data = dataOf(await world.rpc.next(name))
    assert.deepEqual(data.payload, { status: 'Perhaps' })
    if (name === 'ack') assert.deepEqual(data['violations'], [{ path: '/status', rule: 'enum' }])
    else assert.equal(data['code'], 'InvalidResult')
    await quiet()
    const more = station.got.slice(2)
    assert.deepEqual(more, isAnswered ? [[5, 'c', 'PropertyConstraintViolation', '/status: enum', {}]] : [])
  })
}

for (const version of ['ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'] as const) {
  test(`a malformed CALLRESULT ends its command at once and ${version === 'ocpp2.1' ? 'gets' : 'does not get'} a CALLRESULTERROR in ${version}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    station.call('Heartbeat')
    await station.next()
    for (const id of ['c1', 'c2']) world.broadcast('CP1', { command: 'ClearCache', id, payload: {} })
    await station.next()
    station.says([3, 'c1', [], 'more'])
    assert.equal(dataOf(await world.rpc.next('error'))['code'], 'InvalidResult')
    await quiet()
    const expected = version === 'ocpp2.1' ? [[5, 'c1', 'FormatViolation', '', {}]] : []
    assert.deepEqual(station.got.slice(2), [...expected, [2, 'c2', 'ClearCache', {}]])
  })
}

const answers: readonly [ValidationMode, string, object, unknown[]][] = [
  ['off', 'Authorize', { status: 'Accepted' }, [3, { status: 'Accepted' }]],
  ['warn', 'Authorize', { status: 'Accepted' }, [3, { status: 'Accepted' }]],
  ['strict', 'Authorize', { status: 'Accepted' }, [4, 'InternalError']],
  ['strict', 'Authorize', { idTagInfo: { status: 'Accepted' } }, [3, { idTagInfo: { status: 'Accepted' } }]],
  ['strict', 'StartTransaction', { transactionId: 7 }, [3, { transactionId: 7 }]],
  ['strict', 'MeterValues', { status: 'Accepted' }, [3, { status: 'Accepted' }]],
]
for (const [mode, action, payload, [type, answer]] of answers) {
  test(`the Ack ${JSON.stringify(payload)} of ${action} reaches the station as ${JSON.stringify(answer)} in mode ${mode}`, async t => {
    const world = new FakeWorld(t, { validateAcks: mode })
    const station = world.plug('CP1')
    world.rpc.otherwise(call => (call.command === 'message' ? acks(payload)(call) : {}))
    station.call(action, {}, 'x')
    assert.deepEqual((await station.next()).filter((_, at) => at !== 1).slice(0, 2), [type, answer])
  })
}

test('a boot is answered Pending when its Ack violates its schema in mode strict', async t => {
  const world = new FakeWorld(t, { validateAcks: 'strict' })
  world.rpc.once('boot_notification', acks({ status: 'Maybe' }))
  assert.equal(((await world.plug('CP1').boot())[2] as { status: string }).status, 'Pending')
  world.rpc.once('boot_notification', acks({ status: 'Accepted' }))
  assert.equal(
    ((await world.plug('CP2').boot())[2] as { status: string }).status,
    'Accepted',
    'a completed answer is valid',
  )
})

test('a CALLRESULTERROR of a 2.1 station performs error with the id and the action of its CALL', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.1' })
  world.rpc.once('authorize', call => transmitted({ command: 'Ack', id: dataOf(call).id, payload: { odd: 1 } }))
  station.call('Authorize', {}, 'a')
  await station.next()
  station.says([5, 'a', 'FormatViolation', 'cannot be read', { at: 'odd' }], [5, 'nobody', 'GenericError', '', {}])
  const { id, request, code, message, payload } = dataOf(await world.rpc.next('error'))
  assert.deepEqual([id, request, code, message], ['a', 'Authorize', 'FormatViolation', 'cannot be read'])
  assert.deepEqual(payload, { at: 'odd' })
  await quiet()
  assert.equal(world.rpc.names().filter(name => name === 'error').length, 1)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' }), 1)
  assert.equal(world.meter.total('ocpp_command_total'), 0, 'a CALLRESULTERROR is not a command')
})

for (const reconnects of [false, true]) {
  test(`a late CALLRESULT that breaks its schema gets a CALLRESULTERROR in 2.1, ${reconnects ? 'on the next connection' : 'after a timeout'}`, async t => {
    const world = new FakeWorld(t, { validateIn: 'strict' })
    let station = world.plug('CP1', { version: 'ocpp2.1' })
    station.call('Heartbeat')
    await station.next()
    world.broadcast('CP1', { command: 'ClearCache', id: 'c', payload: {} })
    await station.next()
    if (reconnects) {
      station.vanish()
      await world.pass(100)
      station = world.plug('CP1', { version: 'ocpp2.1' })
      station.call('Heartbeat')
      await station.next()
    } else await world.pass(30_000, 1_000)
    await world.rpc.next('error')
    station.says([3, 'c', { status: 'Perhaps' }])
    const { code, late, payload } = dataOf(await world.rpc.next('error'))
    assert.deepEqual([code, late, payload], ['InvalidResult', true, { status: 'Perhaps' }])
    assert.deepEqual(station.got.at(-1), [5, 'c', 'PropertyConstraintViolation', '/status: enum', {}])
  })
}
