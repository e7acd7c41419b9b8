import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Backlog } from '../../../src/fleet/outbox/backlog.ts'
import type { Identifier } from '../../../src/cable/rpc.ts'
import { messageId } from '../../../src/ocpp/frame.ts'
import { jsonText } from '../../../src/ocpp/json.ts'
import type { AppSession, OutboxMessage } from '../../../src/session/ports.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { dawn, FakeWorld, handshakeFor, quiet } from '../../support/fakes.ts'
import { FakeOutbox, memoryWith } from '../../support/outbox.ts'

const one = 'CP1' as StationId

function message(name: string, storedAt = dawn): OutboxMessage {
  const fields = { stationId: one, version: 'ocpp1.6', id: messageId(name), action: 'StopTransaction' } as const
  return { ...fields, key: name, content: name, payload: jsonText({}), attempts: 0, storedAt }
}

function setUp(t: TestContext, outbox = new FakeOutbox()) {
  const store = memoryWith(outbox)
  const world = new FakeWorld(t)
  return { ...store, world, backlog: new Backlog(store.durable, world) }
}

test('a station has a backlog from its first append until a round finds nothing left', async t => {
  const { backlog } = setUp(t)
  assert.equal(backlog.has(one), false)
  const appending = backlog.append(message('a'))
  assert.equal(backlog.has(one), true)
  assert.equal(await appending, true)
  assert.deepEqual([...backlog.due()], [one])
  await backlog.pendingOf(one, 0)
  backlog.onRound(one, Infinity)
  assert.deepEqual([backlog.has(one), ...backlog.due()], [false])
})

test('a station stays due when an append is over after the round has read the messages', async t => {
  const { backlog } = setUp(t)
  await backlog.append(message('a'))
  const reading = backlog.pendingOf(one, 0)
  await backlog.append(message('b'))
  await reading
  await backlog.pendingOf(one, 2)
  backlog.onRound(one, Infinity)
  assert.deepEqual([backlog.has(one), ...backlog.due()], [true, one])
  await backlog.pendingOf(one, 0)
  backlog.onRound(one, Infinity)
  assert.equal(backlog.has(one), false)
})

test('a station stays due when an operator retries its dead letters after the round has read the messages', async t => {
  const { backlog } = setUp(t)
  await backlog.append(message('a'))
  await backlog.pendingOf(one, 0)
  backlog.wake([one])
  backlog.onRound(one, Infinity)
  assert.deepEqual([...backlog.due()], [one])
})

test('a round that finds nothing left keeps the backlog of a station whose append is under way', async t => {
  const { backlog, outbox } = setUp(t)
  let sync: (outcome: 'stored') => void = () => undefined
  outbox.appending = () => new Promise(resolve => (sync = resolve))
  const appending = backlog.append(message('a'))
  backlog.onRound(one, Infinity)
  assert.equal(backlog.has(one), true)
  sync('stored')
  assert.equal(await appending, true)
  assert.deepEqual([...backlog.due()], [one])
})

test('a station is due when its first message in backoff is, and at once when it has stored another one', async t => {
  const { backlog, world } = setUp(t)
  await backlog.append(message('a'))
  await backlog.pendingOf(one, 0)
  backlog.onRound(one, dawn + 1_000)
  assert.deepEqual([...backlog.due()], [])
  await world.pass(1_000)
  assert.deepEqual([...backlog.due()], [one])
  backlog.postpone(one, 60_000)
  assert.deepEqual([...backlog.due()], [])
  await backlog.append(message('b'))
  assert.deepEqual([...backlog.due()], [one])
})

test('an append is not on the disk when the disk does not reply in 5 s', async t => {
  const { backlog, outbox, world, failures } = setUp(t)
  outbox.appending = () => new Promise(() => undefined)
  const appending = backlog.append(message('a'))
  await world.pass(5_000, 500)
  assert.equal(await appending, false)
  assert.match(String(failures[0]), /did not reply/)
})

/** An append that the disk has not answered in time, and what settles it. */
async function overdue({ backlog, outbox, world }: ReturnType<typeof setUp>) {
  let settle: (outcome: 'stored' | 'refused') => void = () => undefined
  outbox.appending = () => new Promise(resolve => (settle = resolve))
  const appending = backlog.append(message('a'))
  await world.pass(5_000, 500)
  assert.equal(await appending, false)
  assert.equal(backlog.has(one), false)
  outbox.appending = () => Promise.resolve('stored')
  return async (outcome: 'stored' | 'refused') => {
    settle(outcome)
    await quiet()
  }
}

test('a station has a backlog when an append succeeds after the station was turned away', async t => {
  const parts = setUp(t)
  const settle = await overdue(parts)
  const { backlog, world } = parts
  await settle('stored')
  assert.equal(backlog.has(one), true)
  assert.deepEqual([...backlog.due()], [one])
  assert.equal(world.meter.total('ocpp_outbox_total', { outcome: 'stored' }), 1)
})

test('a message carries an attempt when its append succeeds late, also after the station has sent it again', async t => {
  const parts = setUp(t)
  const settle = await overdue(parts)
  const { backlog } = parts
  await settle('stored')
  assert.equal(await backlog.append(message('a')), true)
  await backlog.append(message('b'))
  const attempts = async () => (await backlog.pendingOf(one, 0))?.map(each => [each.key, each.attempts])
  assert.deepEqual(await attempts(), [['a', 1], ['b', 0]]) // prettier-ignore
  const [first] = (await backlog.pendingOf(one, 0)) ?? []
  assert.ok(first)
  assert.equal(await backlog.delivered(first), true)
  assert.deepEqual(await attempts(), [['b', 0]])
})

test('a station has no backlog when an append is refused late', async t => {
  const parts = setUp(t)
  const settle = await overdue(parts)
  await settle('refused')
  assert.deepEqual([parts.backlog.has(one), ...parts.backlog.due()], [false])
})

test('the metrics tell how many messages wait, and how old the oldest is', async t => {
  const { backlog, world, outbox } = setUp(t)
  await backlog.append(message('a', dawn - 60_000))
  assert.deepEqual([backlog.messages, backlog.oldestSeconds], [0, 0])
  backlog.measure()
  await quiet()
  assert.deepEqual([backlog.messages, backlog.oldestSeconds], [1, 60])
  await world.pass(1_000, 500)
  assert.equal(backlog.oldestSeconds, 61)
  outbox.size = () => Promise.reject(new Error('EIO'))
  backlog.measure()
  await quiet()
  assert.equal(backlog.messages, 1)
})

test('the messages of an earlier process are older than this one, and their stations have a backlog', async t => {
  const outbox = new FakeOutbox()
  await outbox.append(message('a', dawn - 1))
  const { backlog, world } = setUp(t, outbox)
  assert.deepEqual([...backlog.due()], [one])
  assert.equal(backlog.isOlderThanProcess(message('a', dawn - 1)), true)
  assert.equal(backlog.isOlderThanProcess(message('b')), false)
  assert.equal(world.log.said('info').some(line => line.startsWith('the outbox has transaction messages')), true) // prettier-ignore
})

test('a backlog that is opened late has what the other process stored meanwhile, as older than this one', async t => {
  const { durable, outbox } = memoryWith()
  const world = new FakeWorld(t)
  let open = (): void => undefined
  const stations: StationId[] = []
  const backlog = new Backlog({ ...durable, stations, onOpened: listener => (open = listener) }, world)
  await world.pass(60_000, 1_000)
  await outbox.append(message('a', dawn + 1_000))
  stations.push(one)
  assert.equal(backlog.has(one), false)
  open()
  assert.equal(backlog.has(one), true)
  assert.deepEqual([...backlog.due()], [one])
  assert.equal(backlog.isOlderThanProcess(message('a', dawn + 1_000)), true)
  assert.equal(backlog.isOlderThanProcess(message('b', dawn + 60_000)), false)
})

test('credentials are the Authorization header, the cookie and the query of the URL', t => {
  const { backlog } = setUp(t)
  const handshake = handshakeFor('CP1', { authorization: 'Basic a' })
  const withQuery = { ...handshake, env: { ...handshake.env, url: `${handshake.env.url}?token=1` } }
  const withCookie = { ...handshake, env: { ...handshake.env, headers: { ...handshake.env.headers, cookie: 'a=b' } } }
  for (const accepted of [handshake, withQuery, withCookie]) {
    backlog.onAccepted(accepted, null)
    for (const each of [handshake, withQuery, withCookie, handshakeFor('CP1'), handshakeFor('CP2')])
      assert.equal(backlog.knows(each), each === accepted || each.stationId !== one)
  }
  backlog.onRejected(withCookie)
  assert.equal(backlog.knows(withCookie), false)
})

test('a session is kept without the headers and the query that may be credentials', async t => {
  const { backlog } = setUp(t)
  const headers = { REMOTE_ADDR: '192.0.2.1', 'x-ocpp-version': '1.6', authorization: 'Basic a', 'x-api-key': 'secret' }
  const identifier = '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier
  const known: Omit<AppSession, 'env'> = { version: 'ocpp1.6', connectionIdentifiers: '{}', identifier }
  const env = { url: 'http://csms.example/ocpp/CP1?token=secret', headers, cstate: { a: 'b' }, istate: { c: 'd' } }
  backlog.onAccepted(handshakeFor('CP1'), { ...known, env })
  const kept = { REMOTE_ADDR: '192.0.2.1', 'x-ocpp-version': '1.6' }
  assert.deepEqual(await backlog.sessionOf(one), {
    ...known,
    env: { url: 'http://csms.example/ocpp/CP1', headers: kept, cstate: { a: 'b' }, istate: { c: 'd' } },
  })
})

test('a session that cannot be kept or read is a failure of the disk, and of nothing else', async t => {
  const { backlog, outbox, failures } = setUp(t)
  outbox.keepSession = () => Promise.reject(new Error('EIO'))
  outbox.sessionOf = () => Promise.reject(new Error('EIO'))
  const session = { version: 'ocpp1.6', connectionIdentifiers: '{}', identifier: '{}' as Identifier } as const
  backlog.onAccepted(handshakeFor('CP1'), { ...session, env: { url: '', headers: {}, cstate: {}, istate: {} } })
  assert.equal(await backlog.sessionOf(one), null)
  assert.equal(failures.length, 2)
})

test('idle resolves when the delivery under way is over', async t => {
  const { backlog } = setUp(t)
  let end: () => void = () => undefined
  const done: string[] = []
  const delivery = backlog.inTurn(one, {}, () => new Promise<void>(resolve => (end = resolve)))
  const idle = backlog.idle().then(() => done.push('idle'))
  await quiet()
  done.push('delivered')
  end()
  await Promise.all([delivery, idle])
  assert.deepEqual(done, ['delivered', 'idle'])
})

test('the messages of a station are due at once when an operator retries them, whether it had any pending or not', async t => {
  const { backlog } = setUp(t)
  await backlog.append(message('a'))
  backlog.postpone(one, 60_000)
  assert.deepEqual([...backlog.due()], [])
  backlog.wake([one, 'CP2' as StationId])
  assert.deepEqual([...backlog.due()], [one, 'CP2'])
})
