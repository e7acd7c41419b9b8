import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { callError, messageId, type MessageId } from '../../../src/ocpp/frame.ts'
import { emptyObject, jsonText } from '../../../src/ocpp/json.ts'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { Boot } from '../../../src/session/boot.ts'
import { Commands, type CommandSettings } from '../../../src/session/commands/commands.ts'
import { Station } from '../../../src/session/station.ts'
import type { Asked } from '../../../src/session/ports.ts'
import type { CommandOutcome } from '../../../src/translate/commands.ts'
import type { RemoteCommand } from '../../../src/translate/messages.ts'
import { FakeSocket, FakeWorld, handshakeFor, quiet } from '../../support/fakes.ts'

const timeoutMs = 30_000
const usual: CommandSettings = { callQueue: 50, callTimeoutMs: timeoutMs }
/** Accepts every payload: `validation.test.ts` tests the violations. */
const valid = {
  ofCommand: () => ({ violations: [], refusal: null }),
  ofResult: () => ({ violations: [], refusal: null }),
}

/** The commands of a station, what was sent, and the outcomes as text. */
function setUp(
  t: TestContext,
  settings: Partial<CommandSettings> = {},
  onOutcome: (calls: Commands, outcome: CommandOutcome) => void = () => undefined,
  world = new FakeWorld(t),
) {
  const outcomes: CommandOutcome[] = []
  const socket = new FakeSocket()
  const station = new Station(handshakeFor('CP1'), socket, { ...usual, ...settings }, world)
  const boot = new Boot(station, world.hub.known)
  const room = { isLeft: true }
  const app = { identifier: 'I' as Identifier | null }
  const told = {
    get hasRoom() {
      return room.isLeft
    },
    ofCommand: (outcome: CommandOutcome, { asked }: { readonly asked: Asked | null }) => {
      outcomes.push(outcome)
      asked?.onEnd(outcome)
      onOutcome(calls, outcome)
    },
  }
  const unanswered = world.hub.unansweredCommands
  const calls: Commands = new Commands(station, { app, boot, outcomes: told, unanswered, validation: valid })
  const add = (...ids: readonly string[]): void => {
    for (const id of ids) calls.add(callOf(id))
  }
  const ends = (): string[] =>
    outcomes.map(outcome => {
      const how = outcome.kind === 'ack' ? 'ack' : outcome.code
      return `${JSON.parse(outcome.id) as string} ${how}${outcome.late ? ' late' : ''}`
    })
  const pass = (ms: number): void => t.mock.timers.tick(ms)
  const sent = socket.sent.all
  return {
    app,
    world,
    sid: station.who.sid,
    socket,
    calls,
    boot,
    room,
    sent: () => sent.map(text => (JSON.parse(text) as unknown[])[1]),
    outcomes,
    add,
    ends,
    pass,
  }
}

function callOf(id: string, action = 'Reset', payload: object = {}): RemoteCommand {
  return { kind: 'command', id: messageId(id), action, payload: jsonText(payload) }
}

const result = (id: string) => ({ kind: 'callResult', id: messageId(id), payload: emptyObject }) as const

test('a command is sent when the command before it has been answered', t => {
  const { calls, sent, add, ends } = setUp(t)
  add('a', 'b', 'c')
  assert.deepEqual(sent(), ['a'])
  assert.equal(calls.settle(result('a')), true)
  assert.deepEqual(sent(), ['a', 'b'])
  assert.deepEqual(ends(), ['a ack'])
})

test('a CALLRESULT gives an ack with its payload, and a CALLERROR an error with its code and description', t => {
  const { calls, outcomes, add } = setUp(t)
  add('a', 'b')
  const payload = jsonText({ status: 'Accepted' })
  calls.settle({ kind: 'callResult', id: messageId('a'), payload })
  const details = jsonText({ hint: 1 })
  calls.settle({ kind: 'callError', id: messageId('b'), code: 'VendorWord', description: 'no', details })
  const common = { request: 'Reset', late: false, failure: null }
  assert.deepEqual(outcomes, [
    { ...common, kind: 'ack', id: messageId('a'), payload, violations: [] },
    { ...common, kind: 'error', id: messageId('b'), code: 'VendorWord', message: 'no', payload: details },
  ])
})

test('settle finds no command when an answer has the id of no open command', t => {
  const { calls, sent, add, ends } = setUp(t)
  assert.equal(calls.settle(result('a')), false)
  add('a', 'b')
  assert.equal(calls.settle(result('b')), false, 'b is queued')
  assert.equal(calls.settle(callError(messageId('x'), 'GenericError', '')), false)
  calls.settle(result('a'))
  assert.equal(calls.settle(result('a')), false, 'a second answer')
  assert.deepEqual(sent(), ['a', 'b'])
  assert.deepEqual(ends(), ['a ack'])
})

test('a CALLERROR with the id -1 ends the open command, which the station could not read', t => {
  const { calls, sent, add, ends } = setUp(t)
  add('a', 'b')
  assert.equal(calls.settle(callError(messageId('-1'), 'FormatViolation', '')), true)
  assert.deepEqual(ends(), ['a FormatViolation'])
  assert.deepEqual(sent(), ['a', 'b'])
})

test('settle finds no command when a CALLERROR has the id -1 and none is open, or a CALLRESULT has the id -1', t => {
  const { calls, add, ends } = setUp(t)
  assert.equal(calls.settle(callError(messageId('-1'), 'FormatViolation', '')), false)
  add('a')
  assert.equal(calls.settle(result('-1')), false)
  assert.deepEqual(ends(), [])
})

test('an answer settles its command when the id is a number in one and a string in the other', t => {
  const { calls, add } = setUp(t)
  add('7')
  assert.equal(calls.settle({ ...result('7'), id: jsonText(7) as MessageId }), true)
})

test('the timeout of a command starts when the command is sent', t => {
  const { sent, add, ends, pass } = setUp(t)
  add('a', 'b')
  pass(timeoutMs - 1)
  assert.deepEqual(ends(), [])
  pass(1)
  assert.deepEqual(ends(), ['a CallTimeout'])
  assert.deepEqual(sent(), ['a', 'b'])
  pass(timeoutMs - 1)
  assert.deepEqual(ends(), ['a CallTimeout'])
  pass(1)
  assert.deepEqual(ends(), ['a CallTimeout', 'b CallTimeout'])
})

test('a late answer gives one late outcome, and leaves the open command open', t => {
  const { calls, add, ends, pass } = setUp(t)
  add('a', 'b')
  pass(timeoutMs)
  assert.equal(calls.settle(result('a')), true)
  assert.equal(calls.settle(result('a')), false)
  calls.settle(result('b'))
  assert.deepEqual(ends(), ['a CallTimeout', 'a ack late', 'b ack'])
})

test('a command does not time out when it has been answered', t => {
  const { calls, add, ends, pass } = setUp(t)
  add('a')
  calls.settle(result('a'))
  pass(2 * timeoutMs)
  assert.deepEqual(ends(), ['a ack'])
})

test('a command fails with QueueFull when the queue is full, which does not count the open command', t => {
  const { calls, sent, add, ends } = setUp(t, { callQueue: 2 })
  add('open', 'a', 'b', 'c')
  assert.deepEqual(ends(), ['c QueueFull'])
  calls.settle(result('open'))
  add('d')
  assert.deepEqual(ends(), ['c QueueFull', 'open ack'])
  calls.settle(result('a'))
  calls.settle(result('b'))
  assert.deepEqual(sent(), ['open', 'a', 'b', 'd'])
})

test('a command is sent when callQueue is 0 and none is open', t => {
  const { sent, add, ends } = setUp(t, { callQueue: 0 })
  add('a', 'b')
  assert.deepEqual(sent(), ['a'])
  assert.deepEqual(ends(), ['b QueueFull'])
})

const invalid: readonly [string, string[], string][] = [
  ['longer than 36 characters', ['x'.repeat(37)], `${'x'.repeat(37)} InvalidId`],
  ['in use by the open command', ['a', 'a'], 'a InvalidId'],
  ['in use by a queued command', ['a', 'b', 'b'], 'b InvalidId'],
]
for (const [what, ids, end] of invalid) {
  test(`a command fails with InvalidId when its id is ${what}, and the first command of that id stays`, t => {
    const { calls, add, ends } = setUp(t)
    add(...ids)
    assert.deepEqual(ends(), [end])
    for (const id of new Set(ids.filter(id => id.length <= 36))) assert.equal(calls.settle(result(id)), true)
  })
}

test('a command is sent when its id has 36 characters, or when the command of that id has ended', t => {
  const { calls, sent, add, ends } = setUp(t)
  const id = '€'.repeat(36)
  add(id)
  calls.settle(result(id))
  add(id)
  assert.deepEqual(sent(), [id, id])
  assert.deepEqual(ends(), [`${id} ack`])
})

test('a command fails with InvalidId when a command of its id has timed out, because a late answer could be for either', t => {
  const { add, ends, pass } = setUp(t)
  add('a')
  pass(timeoutMs)
  add('a')
  assert.deepEqual(ends(), ['a CallTimeout', 'a InvalidId'])
})

test('a command with an unknown action, or one that stations send, fails at once and takes no place in the queue', t => {
  const { calls, sent, add, ends } = setUp(t, { callQueue: 1 })
  add('a')
  calls.add(callOf('b', 'MakeCoffee'))
  calls.add(callOf('c', 'StatusNotification'))
  add('d')
  assert.deepEqual(ends(), ['b UnknownAction', 'c UnknownAction'])
  calls.settle(result('a'))
  assert.deepEqual(sent(), ['a', 'd'])
})

test('commands wait for the answer to each boot, and then pass by the boot status', t => {
  const { calls, boot, sent, add, ends } = setUp(t)
  calls.hold()
  calls.hold()
  add('a')
  calls.add(callOf('b', 'RemoteStartTransaction'))
  calls.release()
  assert.deepEqual(sent(), [])
  boot.onAnswer(jsonText({ status: 'Pending' }))
  calls.release()
  calls.settle(result('a'))
  assert.deepEqual(sent(), ['a'])
  assert.deepEqual(ends(), ['a ack', 'b NotAccepted'])
})

test('commands that wait for a boot answer count against the queue limit, and an open command stays open', t => {
  const { calls, sent, add, ends } = setUp(t, { callQueue: 1 })
  add('open')
  calls.hold()
  calls.settle(result('open'))
  add('a', 'b')
  assert.deepEqual(sent(), ['open'])
  assert.deepEqual(ends(), ['open ack', 'b QueueFull'])
})

test('a trigger lets its message pass while pending when the trigger is sent, and not while it is queued', t => {
  const { calls, boot, add } = setUp(t)
  boot.onAnswer(jsonText({ status: 'Pending' }))
  add('a')
  calls.add(callOf('b', 'TriggerMessage', { requestedMessage: 'StatusNotification' }))
  assert.equal(boot.passesCall('StatusNotification'), false)
  calls.settle(result('a'))
  assert.equal(boot.passesCall('StatusNotification'), true)
})

test('stop fails queued and later commands, and the open command may still be answered', t => {
  const { calls, sent, add, ends } = setUp(t)
  add('open', 'a')
  calls.stop()
  add('b')
  assert.deepEqual(ends(), ['a ConnectionClosed', 'b ConnectionClosed'])
  calls.settle(result('open'))
  assert.deepEqual(ends().at(-1), 'open ack')
  assert.deepEqual(sent(), ['open'])
})

test('end fails the open and queued commands once each, and no timeout comes after', t => {
  const { calls, add, ends, pass } = setUp(t)
  add('late')
  pass(timeoutMs)
  add('open', 'a')
  calls.end()
  calls.end()
  assert.deepEqual(ends(), ['late CallTimeout', 'open ConnectionClosed', 'a ConnectionClosed'])
  pass(2 * timeoutMs)
  assert.equal(ends().length, 3)
})

test('no command is sent while outcomes have no room, the queue keeps its limit, and sending goes on with next', t => {
  const { calls, room, sent, add, ends } = setUp(t, { callQueue: 2 })
  add('a', 'b')
  room.isLeft = false
  calls.settle(result('a'))
  assert.deepEqual(sent(), ['a'], 'b waits')
  add('c', 'd')
  assert.deepEqual(ends(), ['a ack', 'd QueueFull'])
  room.isLeft = true
  calls.next()
  assert.deepEqual(sent(), ['a', 'b'], 'one at a time')
  calls.settle(result('b'))
  assert.deepEqual(sent(), ['a', 'b', 'c'])
})

test('a command that is added during an outcome waits behind the command that is sent next', t => {
  const { calls, sent, add } = setUp(t, {}, (commands, { id }) => {
    if (id === messageId('a')) commands.add(callOf('new'))
  })
  add('a', 'b')
  calls.settle(result('a'))
  assert.deepEqual(sent(), ['a', 'b'])
})

test('the socket expects another heartbeat interval when a station accepts it, late or in time', t => {
  const { calls, socket, pass } = setUp(t)
  const accepted = jsonText({ status: 'Accepted' })
  const change = (id: string, value: string): void => {
    const payload = jsonText({ key: 'HeartbeatInterval', value })
    calls.add({ kind: 'command', id: messageId(id), action: 'ChangeConfiguration', payload })
  }
  change('1', '300')
  assert.equal(socket.heartbeatIntervalMs, null)
  calls.settle({ kind: 'callResult', id: messageId('1'), payload: accepted })
  assert.equal(socket.heartbeatIntervalMs, 300_000)
  change('2', '900')
  calls.settle(callError(messageId('2'), 'InternalError', ''))
  assert.equal(socket.heartbeatIntervalMs, 300_000)
  change('3', '600')
  pass(timeoutMs)
  calls.settle({ kind: 'callResult', id: messageId('3'), payload: accepted })
  assert.equal(socket.heartbeatIntervalMs, 600_000)
})

/** A connection that has ended with an unanswered command `open`, and the station's next one. */
function reconnect(t: TestContext, settings: Partial<CommandSettings> = {}) {
  const world = new FakeWorld(t)
  const before = setUp(t, settings, undefined, world)
  before.add('late')
  before.pass(timeoutMs)
  before.add('open', 'queued')
  before.calls.end()
  return { world, before, next: setUp(t, settings, undefined, world) }
}

test('an answer on the next connection gives one late outcome, with the sid of the connection that the command was sent on', t => {
  const { before, next } = reconnect(t)
  assert.equal(next.calls.settle(result('open')), false, 'it is not of this connection')
  assert.equal(next.calls.settleEarlier(result('open')), true)
  assert.equal(next.calls.settleEarlier(result('open')), false)
  const error = { ...callError(messageId('late'), 'InternalError', 'no'), code: 'Mine' }
  assert.equal(next.calls.settleEarlier(error), true)
  assert.equal(next.calls.settleEarlier(result('queued')), false, 'it was not sent')
  assert.deepEqual(next.ends(), ['open ack late', 'late Mine late'])
  assert.deepEqual(
    next.outcomes.map(({ sid }) => sid),
    [before.sid, before.sid],
  )
})

test('a CALLERROR with the id -1 on the next connection is an answer to nothing', t => {
  const { next } = reconnect(t)
  assert.equal(next.calls.settleEarlier(callError(messageId('-1'), 'FormatViolation', '')), false)
  assert.deepEqual(next.ends(), [])
})

test('an answer is to the new command when the app has used the id of an unanswered one again', t => {
  const { next } = reconnect(t)
  next.add('open')
  assert.equal(next.calls.settle(result('open')), true)
  assert.equal(next.calls.settleEarlier(result('open')), false)
  assert.deepEqual(next.ends(), ['open ack'])
})

test('settleEarlier ends no command before the station is attached', t => {
  const { world, next } = reconnect(t)
  next.app.identifier = null
  assert.equal(next.calls.settleEarlier(result('open')), false)
  assert.equal(world.meter.total('ocpp_dropped_total', { reason: 'answer_to_nothing' }), 1)
  next.app.identifier = 'I' as Identifier
  assert.equal(next.calls.settleEarlier(result('open')), true)
  assert.deepEqual(next.ends(), ['open ack late'])
})

test('settleEarlier does not end a command of this connection', t => {
  const { next } = reconnect(t)
  next.add('new')
  assert.equal(next.calls.settleEarlier(result('new')), false)
  assert.equal(next.calls.settleEarlier(callError(messageId('-1'), 'GenericError', '')), false)
  assert.deepEqual(next.ends(), [])
})

test('a malformed answer to a command that has ended gives one late InvalidResult, on this connection and on the next', t => {
  const { before, next } = reconnect(t)
  next.add('new')
  next.pass(timeoutMs)
  for (let count = 0; count < 2; count++) {
    next.calls.settle({ id: messageId('new'), kind: 'callError' })
    next.calls.settleEarlier({ id: messageId('open'), kind: 'callResult' })
  }
  assert.deepEqual(next.ends(), ['new CallTimeout', 'new InvalidResult late', 'open InvalidResult late'])
  assert.equal(next.outcomes.at(-1)?.sid, before.sid)
})

test('an accepted HeartbeatInterval counts when the answer comes on the next connection', t => {
  const world = new FakeWorld(t)
  const before = setUp(t, {}, undefined, world)
  before.calls.add(callOf('c', 'ChangeConfiguration', { key: 'HeartbeatInterval', value: '300' }))
  before.calls.end()
  const next = setUp(t, {}, undefined, world)
  next.calls.settleEarlier({ kind: 'callResult', id: messageId('c'), payload: jsonText({ status: 'Accepted' }) })
  assert.equal(next.socket.heartbeatIntervalMs, 300_000)
})

test('a command is measured from its arrival to its CALL, and to its first outcome', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  await world.pass(10)
  const reset = (id: string) => world.broadcast('SN-CP1', { command: 'Reset', id, payload: { type: 'Soft' } })
  reset('a')
  reset('b')
  await world.pass(2_000)
  station.says([3, 'a', { status: 'Accepted' }])
  await world.pass(30_000)
  station.says([3, 'b', { status: 'Accepted' }])
  await world.pass(10)
  assert.deepEqual(world.meter.observationsOf('ocpp_command_wait_seconds'), [
    [{}, 0],
    [{}, 2],
  ])
  assert.deepEqual(
    world.meter.observationsOf('ocpp_command_seconds'),
    [
      [{ outcome: 'ack' }, 2],
      [{ outcome: 'CallTimeout' }, 32],
    ],
    'the late ack of b is its second outcome',
  )
  assert.equal(world.meter.total('ocpp_command_total', { outcome: 'ack' }), 2)
})

test('a command that is refused at once is measured as such', async t => {
  const world = new FakeWorld(t)
  await world.plug('CP1').boot()
  world.broadcast('SN-CP1', { command: 'Nonsense', id: 'a', payload: {} })
  assert.deepEqual(world.meter.observationsOf('ocpp_command_seconds'), [[{ outcome: 'UnknownAction' }, 0]])
  assert.deepEqual(world.meter.observationsOf('ocpp_command_wait_seconds'), [])
})

/** A command of an operator; `ends` has how it ended for the operator. */
function ask({ calls }: { readonly calls: Commands }, id: string, timeoutMs: number): string[] {
  const ends: string[] = []
  const onEnd = (outcome: CommandOutcome): void => void ends.push(outcome.kind === 'ack' ? 'ack' : outcome.code)
  calls.add(callOf(id), { timeoutMs, notify: true, onEnd })
  return ends
}

test('the timeout of an operator counts from the request, whether the command is sent or waits', t => {
  const site = setUp(t)
  const sent = ask(site, 'sent', 2_000)
  const queued = ask(site, 'queued', 1_000)
  site.add('of the app')
  site.pass(1_000)
  assert.deepEqual([sent, queued], [[], ['NotSent']])
  site.pass(1_000)
  assert.deepEqual(sent, ['CallTimeout'])
  assert.deepEqual(site.sent(), ['sent', 'of the app'])
})

test('a command of an operator ends once for the operator, and is marked for the app', t => {
  const site = setUp(t)
  const ends = ask(site, 'a', 5_000)
  site.calls.settle(result('a'))
  site.pass(10_000)
  site.add('b')
  site.calls.settle(result('b'))
  assert.deepEqual(ends, ['ack'])
  assert.deepEqual(
    site.outcomes.map(({ origin }) => origin),
    ['admin', undefined],
  )
})

/** A station of a bridge that holds the keys; `store` ends the storing of those that are offered. */
function withKeys(t: TestContext) {
  const world = new FakeWorld(t)
  const said: unknown[] = []
  let store: (problem: string | null) => void = () => undefined
  world.keys = {
    recall: () => 'right',
    isRandom: () => false,
    isChecking: () => false,
    check: () => Promise.resolve('right'),
    offer: (stationId, keys) => {
      said.push(['offer', stationId, ...keys])
      return new Promise(resolve => (store = resolve))
    },
    onNewKey: (stationId, { text, isValid }) => said.push([isValid, stationId, text]),
  }
  const site = setUp(t, {}, undefined, world)
  const give = (id: string, key: string): void =>
    site.calls.add(callOf(id, 'ChangeConfiguration', { key: 'AuthorizationKey', value: key }))
  const stored = async (problem: string | null = null): Promise<void> => {
    store(problem)
    await quiet()
  }
  return { ...site, give, said, store: stored }
}
const answer = (id: string, status: string) =>
  ({ kind: 'callResult', id: messageId(id), payload: jsonText({ status }) }) as const

test('a station gets a new key when it is on the disk, and later commands wait for that', async t => {
  const { give, add, sent, said, store, calls } = withKeys(t)
  give('a', 'key')
  add('b')
  assert.deepEqual([sent(), said], [[], [['offer', 'CP1', 'key']]])
  await store()
  assert.deepEqual(sent(), ['a'])
  calls.settle(answer('a', 'Accepted'))
  assert.deepEqual(sent(), ['a', 'b'])
  assert.deepEqual(said.slice(1), [['now', 'CP1', 'key']])
})

test('a station does not get a key that cannot be stored', async t => {
  const { give, add, sent, said, store, ends, outcomes } = withKeys(t)
  give('a', 'key')
  add('b')
  await store('no room')
  assert.deepEqual([sent(), ends()], [['b'], ['a KeyNotStored']])
  assert.match(outcomes[0]?.kind === 'error' ? outcomes[0].message : '', /^The command was not sent: .*: no room$/)
  assert.deepEqual(said.slice(1), [], 'no key to withdraw')
})

test('a key whose command ends while it is being stored is withdrawn', async t => {
  const { give, sent, said, store, ends, calls } = withKeys(t)
  give('a', 'key')
  calls.end()
  await store()
  assert.deepEqual([sent(), ends()], [[], ['a ConnectionClosed']])
  assert.deepEqual(said.slice(1), [['never', 'CP1', 'key']])
})

test('a key on the disk whose command is never sent is withdrawn', async t => {
  const { give, sent, said, store, ends, calls } = withKeys(t)
  give('a', 'key')
  calls.hold()
  await store()
  assert.deepEqual([sent(), said.slice(1)], [[], []])
  calls.stop()
  assert.deepEqual([ends(), said.slice(1)], [['a ConnectionClosed'], [['never', 'CP1', 'key']]])
})

test('an error without a readable id withdraws no key: it may be about another message', async t => {
  const { give, said, store, ends, calls } = withKeys(t)
  give('a', 'key')
  await store()
  calls.settle(callError(messageId('-1'), 'FormatViolation', ''))
  assert.deepEqual([ends(), said.slice(1)], [['a FormatViolation'], []])
})

test('a new key that a station refuses, by whatever answer, is withdrawn; one that it says nothing of stays', async t => {
  const { give, said, store, calls, pass } = withKeys(t)
  give('a', 'one')
  await store()
  calls.settle(answer('a', 'Rejected'))
  give('b', 'two')
  await store()
  calls.settle(callError(messageId('b'), 'InternalError', ''))
  give('c', 'three')
  await store()
  pass(timeoutMs)
  give('d', 'four')
  await store()
  calls.settle(answer('c', 'Accepted'))
  calls.end()
  assert.deepEqual(said.filter(each => !String(each).startsWith('offer')).map(String), [
    'never,CP1,one',
    'never,CP1,two',
    'now,CP1,three',
  ])
})

test('commands without a key are not held up', t => {
  const { calls, add, sent, said } = withKeys(t)
  calls.add(callOf('a', 'ChangeConfiguration', { key: 'HeartbeatInterval', value: '60' }))
  calls.settle(answer('a', 'Accepted'))
  calls.add(callOf('b', 'DataTransfer', { vendorId: 'V', data: 'AuthorizationKey' }))
  calls.settle(answer('b', 'Accepted'))
  add('c')
  assert.deepEqual([sent(), said], [['a', 'b', 'c'], []])
})
