import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeWorld, type FakeStation } from '../support/fakes.ts'

const stop =
  '[2,"s1","StopTransaction",{"idTag":"AB","meterStop":5,"transactionId":,"timestamp":"2026-01-02T03:04:05Z"}]'
const meter = '[2,"m1","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]'

const says = (station: FakeStation, text: string, times: number): void => {
  for (let count = 0; count < times; count++) station.says(text)
}

/** The fields of the warnings with this message. */
function warned(world: FakeWorld, message: RegExp): Record<string, unknown>[] {
  const keys = [...world.notices].filter(([, text]) => message.test(text)).map(([key]) => key)
  return keys.map(key => ({ ...world.noticeFields.get(key) }))
}

test('twenty malformed messages in a row close a peer that the app has not accepted with 1002', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  says(station, '[no frame', 19)
  assert.equal(station.session.isClosed, false)
  station.says('[no frame')
  assert.equal((await station.socket.end()).code, 1002)
  assert.equal(world.meter.total('failed_client_msg_total'), 20)
})

test('an ignored message does not reset the count of malformed messages', t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  for (let count = 0; count < 20; count++) station.says('[no frame', 'ping', ' ', '[9,"x"]')
  assert.equal(station.socket.closed?.code, 1002)
})

test('an answer to nothing does not reset the count of malformed messages', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  for (let count = 0; count < 20; count++) station.says('[no frame', [3, 'x', {}])
  assert.equal((await station.socket.end()).code, 1002)
})

test('a station that the app has accepted is read once a second when it sends nothing but malformed messages', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  says(station, meter, 20)
  assert.equal(station.socket.isPaused, false)
  says(station, meter, 3)
  assert.equal(station.socket.isPaused, true)
  assert.equal(station.socket.unread.length, 2)
  await world.pass(990)
  assert.equal(station.socket.unread.length, 2)
  await world.pass(10)
  assert.equal(station.socket.unread.length, 1)
  await world.pass(2_000)
  assert.equal(station.socket.isPaused, false)
  assert.equal(station.socket.closed, null)
  assert.equal(station.got.filter(([type, id]) => type === 4 && id === 'm1').length, 23)
})

/** [what has happened before, the peer's message, whether it is closed after 20 of them, because] */
const peers: readonly (readonly [(world: FakeWorld) => Promise<unknown>, string, boolean, string])[] = [
  [world => connected(world, 'CP1'), '[no frame', false, 'the app accepted an earlier connection of the station'],
  [world => connected(world, 'CP2'), '[no frame', true, 'the app accepted another station'],
  [
    world => connected(world, 'CP1', 'Basic A'),
    '[no frame',
    true,
    'the app accepted the station with other credentials',
  ],
  [
    ({ rpc }) => Promise.resolve((rpc.presence.isAway = true)),
    '[no frame',
    false,
    'the app that could accept it is away',
  ],
  [() => Promise.resolve(), meter, false, 'it sends CALLs, which are broken'],
]
for (const [before, text, isClosed, because] of peers) {
  test(`a peer that the app has not accepted is ${isClosed ? 'closed' : 'slowed down'} after 20 malformed messages when ${because}`, async t => {
    const world = new FakeWorld(t)
    await before(world)
    const station = world.plug('CP1')
    says(station, text, 25)
    assert.equal(station.socket.closed?.code, isClosed ? 1002 : undefined)
    assert.equal(station.socket.isPaused, !isClosed)
  })
}

/** A station connects, is accepted by the app, and leaves. */
async function connected(world: FakeWorld, id: string, authorization?: string): Promise<void> {
  const station = world.plug(id, authorization === undefined ? {} : { authorization })
  await station.boot()
  station.vanish()
  await world.pass(100)
}

for (const text of [meter, 'ping', '']) {
  test(`a station that sends only ${text.slice(0, 20) || 'empty messages'} is attached, and outlives ocpp_boot_timeout`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1')
    station.socket.isMute = true
    for (let second = 0; second < 70; second++) {
      station.says(text)
      await world.pass(1_000, 1_000)
      world.hub.sweep()
    }
    assert.equal(station.socket.closed, null)
    assert.deepEqual(world.rpc.names(), ['connect', 'subscribe'])
  })
}

test('a CALL among malformed messages is served, and ends the slowdown', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  says(station, meter, 21)
  station.call('Heartbeat', {}, 'h')
  await world.pass(1_000)
  assert.deepEqual(station.got.at(-1)?.slice(0, 2), [3, 'h'])
  says(station, meter, 20)
  assert.equal(station.socket.isPaused, false)
})

test('a real answer to a command resets the count of malformed messages', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot('SN1')
  world.broadcast('SN1', { command: 'Reset', id: 'r' })
  says(station, '[no frame', 20)
  station.says([3, 'r', {}])
  says(station, '[no frame', 20)
  assert.equal(station.socket.isPaused, false)
  station.says('[no frame')
  assert.equal(station.socket.isPaused, true)
})

test('what a closed connection has left is not slowed down', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  station.socket.isOpen = false
  says(station, meter, 100)
  assert.equal(station.socket.isPaused, false)
})

test('the end of a session ends the slowdown', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  says(station, meter, 21)
  station.vanish()
  await world.pass(100)
  await station.ended()
})

test('one warning for a station names the place where its message stops being JSON', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  says(station, meter, 3)
  const position = meter.indexOf(',"meterValue"')
  const place = { position, excerpt: { text: meter, at: position }, found: ',' }
  const expected = { sid: station.sid, station: 'CP1', problem: 'The message is not valid JSON', ...place }
  assert.deepEqual(warned(world, /cannot be read$/), [expected])
  station.says('\ufeff[2,"x","Heartbeat",{')
  station.says('[2,"x","Heartbeat"]')
  assert.equal(warned(world, /cannot be read$/).length, 2, 'one for each problem')
  assert.deepEqual(warned(world, /cannot be read$/)[1]?.['frame'], '[2,"x","Heartbeat"]')
})

test('the place behind a byte order mark counts it', t => {
  const world = new FakeWorld(t)
  world.plug('CP1').says('\ufeff[2,"x","Heartbeat",{')
  const [fields] = warned(world, /cannot be read$/)
  assert.deepEqual([fields?.['position'], fields?.['found']], [21, 'the end of the message'])
})

test('hostile nesting is answered, and has no place to name', t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1', { version: 'ocpp2.0.1' })
  // Together less than a station may send before the app has accepted it.
  for (const text of ['['.repeat(15_000), `[2,"x",${'['.repeat(15_000)}`, `[2,[],${'{"a":'.repeat(15_000)}`]) {
    station.says(text)
    assert.equal(station.socket.closed, null)
  }
  assert.equal(station.got.length, 3)
  assert.ok(warned(world, /cannot be read$/).every(fields => !('position' in fields)))
})

const energy: readonly (readonly ['ocpp1.6' | 'ocpp2.0.1' | 'ocpp2.1', string, boolean, string])[] = [
  ['ocpp1.6', stop, true, 'a StopTransaction without a value'],
  ['ocpp1.6', stop.replaceAll('"', "'"), true, 'one in single quotes, whose id cannot be read'],
  ['ocpp1.6', '[2,"s1","StopTransaction",[{"meterStop":5}]]', true, 'one in a list'],
  ['ocpp1.6', stop.replace('"s1",', '"s1,'), true, 'one whose id lacks a quote'],
  ['ocpp1.6', stop.replace('[2,"s1",', ''), true, 'one that has lost its beginning'],
  ['ocpp1.6', meter, false, 'MeterValues'],
  ['ocpp1.6', '[3,"g",{"configurationKey":[{"key":"StopTransactionOnInvalidId",', false, 'an answer that names a key'],
  ['ocpp1.6', '[3,"StopTransaction",{"status":', false, 'an answer with such an id'],
  ['ocpp1.6', '[2,"d","DataTransfer",{"messageId":"StopTransaction",', false, 'a CALL that names it in its payload'],
  ['ocpp1.6', '[2,"StopTransaction-1","Heartbeat",{', false, 'a CALL whose id begins so'],
  ['ocpp2.0.1', '[2,"e1","TransactionEvent",{"eventType":"Ended","seqNo":}]', true, 'a TransactionEvent'],
  ['ocpp2.1', '[2,"e1","TransactionEvent"]', true, 'one without a payload'],
  ['ocpp2.0.1', stop, false, 'an action that the version does not have'],
]
for (const [version, text, isWhole, because] of energy) {
  test(`${text.slice(0, 40)} is ${isWhole ? '' : 'not '}logged whole in ${version}: ${because}`, async t => {
    const world = new FakeWorld(t)
    const station = world.plug('CP1', { version })
    await station.boot()
    says(station, text, 2)
    const frames = warned(world, /book it by hand/).map(({ wholeMessage }) => wholeMessage)
    assert.deepEqual(frames, isWhole ? [text] : [])
  })
}

test('each of many broken StopTransactions is logged whole, and those of peers that the app has not accepted share a limit', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  for (let meterStop = 0; meterStop < 15; meterStop++) station.says(stop.replace('5', String(meterStop)))
  assert.equal(warned(world, /book it by hand/).length, 15)
  world.plug('CP2').says(stop)
  const keys = [...world.notices.keys()].filter(key => key.includes('energy'))
  assert.equal(keys.filter(key => key.startsWith('energy of a peer')).length, 1)
  assert.equal(new Set(keys.filter(key => key.startsWith('CP1')).map(key => key.split(' ')[2])).size, 15)
})

test('a broken StopTransaction is logged whole once the station is accepted when strangers have used up the limit', async t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 10; count++) world.plug(`stranger${count}`).says(stop)
  const station = world.plug('CP1')
  const vanished = world.plug('CP2')
  const whole = (): unknown[] => warned(world, /book it by hand/).filter(fields => fields['station'] !== undefined)
  station.says(stop)
  vanished.says(stop)
  vanished.vanish()
  assert.equal(whole().length, 10)
  await world.pass(10_000, 1_000)
  await station.boot()
  await world.pass(10_000, 1_000)
  assert.deepEqual(whole().slice(10), [
    { sid: station.sid, station: 'CP1', action: 'StopTransaction', wholeMessage: stop },
  ])
})

test('signs of life and unknown types of one station do not use up the limits of another one', async t => {
  const world = new FakeWorld(t)
  const [one, other] = [world.plug('CP1'), world.plug('CP2')]
  for (const station of [one, other]) await station.boot()
  for (let count = 0; count < 12; count++) one.says(`alive ${count}`)
  other.says('PING!')
  const frames = warned(world, /not an OCPP message$/).map(fields => [fields['station'], fields['frame']])
  assert.equal(frames.length, 11)
  assert.deepEqual(frames.at(-1), ['CP2', 'PING!'])
  for (let count = 0; count < 12; count++) {
    const station = world.plug(`CPx${count}`)
    await station.boot()
    station.says('[1,"1","Heartbeat",{}]')
  }
  assert.equal(warned(world, /no such message type$/).length, 12)
})

test('signs of life of peers that the app has not accepted share a limit', t => {
  const world = new FakeWorld(t)
  for (let count = 0; count < 12; count++) world.plug(`CP${count}`).says('ping')
  assert.equal(warned(world, /not an OCPP message$/).length, 10)
})

test('a broken StopTransaction of a station that reconnects does not count towards the limit of unknown peers', async t => {
  const world = new FakeWorld(t)
  await connected(world, 'CP1')
  world.plug('CP1').says(stop)
  assert.equal([...world.notices.keys()].filter(key => key.startsWith('CP1 energy')).length, 1)
})

test('a sign of life is logged once in each spelling, and is not malformed', async t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  await station.boot()
  for (let count = 0; count < 25; count++) station.says('ping', 'PONG\n', ' ')
  assert.equal(world.meter.total('failed_client_msg_total'), 0)
  assert.equal(station.socket.isPaused, false)
  assert.deepEqual(
    warned(world, /not an OCPP message$/).map(({ frame }) => frame),
    ['ping', 'PONG\n', ' '],
  )
})

test('a message of a type that the version does not have is logged once for a station', t => {
  const world = new FakeWorld(t)
  const station = world.plug('CP1')
  says(station, '[1,"1","StopTransaction",{}]', 2)
  assert.equal(warned(world, /no such message type$/).length, 1)
})
