/**
 * Who may connect: Connect before the 101, keys, rejections, guesses. Each station's socket opens as the server would
 * open it.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Admission, type AdmissionSettings } from '../../../src/fleet/admission/admission.ts'
import type { HubSettings } from '../../../src/fleet/hub.ts'
import { Guard } from '../../../src/rpc/guard/guard.ts'
import type { Transport } from '../../../src/rpc/transport.ts'
import type { KeyVerdict } from '../../../src/session/ports.ts'
import type { Profile } from '../../../src/translate/certificate.ts'
import type { Refusal, StationHandshake } from '../../../src/translate/handshake.ts'
import {
  FakeSocket,
  FakeStation,
  FakeWorld,
  faults,
  fails,
  handshakeFor,
  quiet,
  type Said,
} from '../../support/fakes.ts'

const rejects = (reason = 'unauthorized'): (() => Said) => {
  const transmissions = [JSON.stringify({ type: 'disconnect', reason, reconnect: false })]
  return () => ({ status: 'failure', transmissions })
}
const key = 'Basic A'

function setUp(t: TestContext, settings: Partial<AdmissionSettings> = {}, hubSettings: Partial<HubSettings> = {}) {
  const world = new FakeWorld(t, hubSettings)
  const { hub, rpc } = world
  const admission = new Admission({ connectOn: 'upgrade', room: 100, ...settings }, hub, world)
  const gone = new AbortController()
  /** A station that comes in, or the refusal. */
  const come = async (
    handshake: StationHandshake = handshakeFor('CP1', { authorization: key }),
    authorization = key,
    signal = gone.signal,
  ): Promise<FakeStation | Refusal> => {
    const refusal = admission.refusal(handshake)
    if (refusal !== null) return refusal
    const admitted = admission.asks ? await admission.ask(handshake, authorization, signal) : null
    if (admitted?.kind === 'refused') return admitted
    const socket = new FakeSocket()
    return new FakeStation(hub.admit(handshake, socket, admitted?.connected ?? null), socket)
  }
  const statusOf = async (...args: Parameters<typeof come>): Promise<number> => {
    const came = await come(...args)
    return came instanceof FakeStation ? 101 : came.status
  }
  const station = async (...args: Parameters<typeof come>): Promise<FakeStation> => {
    const came = await come(...args)
    assert.ok(came instanceof FakeStation)
    return came
  }
  return { world, hub, rpc, admission, come, statusOf, station, gone }
}

test('the app sees Connect before the socket opens, then subscribe, perform and one Disconnect, all of one sid', async t => {
  const { rpc, world, station } = setUp(t)
  rpc.once('connect', () => ({ cstate: { user: '7' } }))
  const cp1 = await station()
  assert.deepEqual(rpc.names(), ['connect'])
  await cp1.boot()
  cp1.vanish()
  await world.pass(100)
  await cp1.ended()
  assert.deepEqual(rpc.names(cp1.sid), ['connect', 'subscribe', 'boot_notification', 'disconnect'])
  assert.equal(rpc.names().length, 4)
  assert.deepEqual(
    rpc.made.all.map(({ env }) => env.cstate['user']),
    [undefined, '7', '7', '7'],
  )
})

test('a station that is known by its id is subscribed as soon as its socket opens', async t => {
  const { rpc, station } = setUp(t, {}, { sn: 'station_id' })
  await station()
  await quiet()
  assert.deepEqual(rpc.names(), ['connect', 'subscribe'])
})

test('a station that reconnects without a boot is served, and its older connection ends first', async t => {
  const { rpc, world, station } = setUp(t)
  const older = await station()
  await older.boot()
  const newer = await station()
  assert.deepEqual(await older.socket.end(), { code: 1008, reason: 'Replaced by a newer connection' })
  newer.call('Heartbeat')
  await world.pass(100)
  assert.deepEqual(rpc.names().slice(3), ['connect', 'disconnect', 'subscribe'])
  assert.equal(world.meter.total('ocpp_takeover_total'), 1)
})

test('a connection with other credentials takes over once the app has accepted it, before it says anything', async t => {
  const { station } = setUp(t)
  const older = await station()
  await older.boot()
  await station(handshakeFor('CP1', { authorization: 'Basic B' }))
  assert.equal((await older.socket.end()).code, 1008)
})

const verdicts: readonly (readonly [reason: string, status: number, headers: object])[] = [
  ['unauthorized', 401, { 'WWW-Authenticate': 'Basic realm="ocpp"' }],
  ['not_found', 404, {}],
]
for (const [reason, status, headers] of verdicts) {
  test(`a Connect that fails with ${reason} is ${status}; the same credentials cost no Connect for 5 s, others do`, async t => {
    const { rpc, world, come, statusOf } = setUp(t)
    rpc.on('connect', rejects(reason))
    const first = await come()
    assert.ok(!(first instanceof FakeStation))
    assert.deepEqual([first.status, first.headers], [status, headers])
    const again = await come()
    assert.ok(!(again instanceof FakeStation))
    assert.deepEqual([again.status, again.headers], [status, { ...headers, 'Retry-After': 5 }])
    assert.deepEqual(rpc.names(), ['connect'])
    assert.equal(await statusOf(handshakeFor('CP1', { authorization: 'Basic B' })), status)
    assert.equal(rpc.names().length, 2)
    assert.equal(world.meter.total('failed_auths_total'), 2)
    await world.pass(5_000, 1_000)
    rpc.on('connect', () => ({}))
    assert.equal(await statusOf(), 101)
  })
}

const downgrades: readonly (readonly [before: Profile, now: Profile, status: number, headers: object])[] = [
  [1, 0, 401, { 'WWW-Authenticate': 'Basic realm="ocpp"' }],
  [2, 0, 401, { 'WWW-Authenticate': 'Basic realm="ocpp"' }],
  [2, 1, 403, {}],
]
for (const [before, now, status, headers] of downgrades) {
  test(`a station that comes by profile ${now} after ${before} gets ${status}, which asks for the key where it sent none`, async t => {
    const { come, station } = setUp(t)
    const by = (profile: Profile): StationHandshake => ({
      ...handshakeFor('CP1', { authorization: key }),
      ...{ profile, proven: profile },
    })
    await station(by(before))
    const came = await come(by(now))
    assert.ok(!(came instanceof FakeStation))
    assert.deepEqual([came.status, came.reason, came.headers], [status, 'profile', headers])
  })
}

test('a stranger with credentials that are not checked does not keep out a station that has none', async t => {
  const { station, statusOf } = setUp(t)
  await station({ ...handshakeFor('CP1', { authorization: 'Basic junk' }), profile: 1 })
  assert.equal(await statusOf(handshakeFor('CP1')), 101)
})

test('a station with a certificate of its own needs no key; one whose certificate names a serial number does', async t => {
  const { world, statusOf } = setUp(t)
  world.keys = keysOf(null, 'unknown')
  const certified: StationHandshake = { ...handshakeFor('CP1'), profile: 3, proven: 3 }
  assert.equal(await statusOf(certified), 101)
  assert.equal(await statusOf({ ...certified, serialNumber: 'SN1' }), 404)
})

test('a station is known by credentials or a certificate that the app accepted, or by a key that was right', async t => {
  const { admission, world, station } = setUp(t)
  const isKnown = (...offer: Parameters<typeof handshakeFor>): boolean => admission.isKnown(handshakeFor(...offer), '')
  await station(handshakeFor('CP1', { authorization: key }))
  await station(handshakeFor('CP2', { fingerprint: 'ab' }))
  await station(handshakeFor('CP3'))
  assert.equal(isKnown('CP1', { authorization: key }), true)
  assert.equal(isKnown('CP1', { authorization: 'Basic other' }), false)
  assert.equal(isKnown('CP2', { fingerprint: 'ab' }), true)
  assert.equal(isKnown('CP2', { fingerprint: 'cd' }), false)
  assert.equal(isKnown('CP3'), false, 'anyone could come under this id')
  world.keys = keysOf('right', 'right')
  assert.equal(isKnown('CP4'), true)
  world.keys = keysOf(null, 'right')
  assert.equal(isKnown('CP4'), false, 'not checked yet')
})

test('a rejection at a boot counts, too: the station that comes back is refused without a Connect', async t => {
  const { rpc, world, station, statusOf } = setUp(t, { connectOn: 'boot' })
  rpc.on('connect', rejects())
  const cp1 = await station()
  assert.equal((await cp1.boot())[0], 3)
  await cp1.socket.end()
  assert.deepEqual(
    Array.from({ length: 2 }, () => rpc.names().length),
    [1, 1],
  )
  assert.equal(await statusOf(), 401)
  assert.deepEqual(rpc.names(), ['connect'])
  await world.pass(5_000, 1_000)
  assert.equal(await statusOf(), 101)
})

const unanswered: readonly (readonly [error: Error, because: string])[] = [
  [faults.absent, 'it is away'],
  [faults.slow, 'it is slow'],
  [faults.raised, 'it raised'],
]
for (const [error, because] of unanswered) {
  test(`a station is told to come back when the app gives no verdict: ${because}`, async t => {
    const { rpc, come, world } = setUp(t)
    rpc.on('connect', fails(error))
    const refusal = await come()
    assert.ok(!(refusal instanceof FakeStation))
    assert.deepEqual([refusal.status, refusal.reason, refusal.headers], [503, 'unavailable', { 'Retry-After': 35 }])
    assert.equal(world.notices.size, error === faults.raised ? 1 : 0)
    rpc.on('connect', () => ({}))
    assert.ok((await come()) instanceof FakeStation, 'it was not judged')
  })
}

test('a station that leaves before its Connect is on the wire costs none; later, the app sees it leave, once', async t => {
  const { rpc, world, come, station } = setUp(t)
  const gone = new AbortController()
  gone.abort()
  const left = come(undefined, undefined, gone.signal)
  assert.ok(!((await left) instanceof FakeStation))
  const held = rpc.hold('connect')
  const late = new AbortController()
  const leaving = come(undefined, undefined, late.signal)
  const { sid } = await held.arrived()
  late.abort()
  held.release()
  assert.ok(!((await leaving) instanceof FakeStation))
  const back = await station()
  await back.boot()
  await world.pass(100)
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
  assert.deepEqual(rpc.names().indexOf('disconnect') < rpc.names().indexOf('subscribe'), true, 'before it is back')
})

test('an upgrade that fails after Connect makes one Disconnect', async t => {
  const { rpc, world, admission } = setUp(t)
  const handshake = handshakeFor('CP1')
  const admitted = await admission.ask(handshake, '', new AbortController().signal)
  assert.ok(admitted.kind === 'admitted' && admitted.connected !== null)
  admission.release(handshake, admitted.connected)
  await world.pass(100)
  assert.deepEqual(rpc.names(admitted.connected.sid), ['connect', 'disconnect'])
})

test('pending Connects count as stations: the limit is not passed', async t => {
  const { rpc, come, statusOf } = setUp(t, { room: 2 })
  const held = [rpc.hold('connect'), rpc.hold('connect')]
  const two = [come(handshakeFor('CP1')), come(handshakeFor('CP2'))]
  for (const each of held) await each.arrived()
  assert.equal(await statusOf(handshakeFor('CP3')), 503)
  for (const each of held) each.release()
  assert.deepEqual(
    (await Promise.all(two)).map(came => came instanceof FakeStation),
    [true, true],
  )
  assert.equal(rpc.names().length, 2)
})

test('many upgrades of an accepted station at once take no room of others, and the limit holds', async t => {
  const { rpc, hub, statusOf, station } = setUp(t, { room: 3 })
  await (await station()).boot()
  const held = rpc.hold('connect')
  const flood = Array.from({ length: 100 }, () => statusOf())
  await held.arrived()
  assert.equal(await statusOf(handshakeFor('CP2')), 101)
  held.release()
  assert.equal((await Promise.all(flood)).filter(status => status === 101).length, 1)
  for (let again = 0; again < 10; again++) await statusOf()
  assert.equal(hub.size, 3, 'one is accepted, one waits before it takes over, and CP2')
  assert.equal(await statusOf(handshakeFor('CP3')), 503)
})

test('a full bridge lets one connection of a station replace its own, and none that would have to wait', async t => {
  const { hub, statusOf, station } = setUp(t, { room: 1 })
  await (await station()).boot()
  const statuses: number[] = []
  for (let at = 0; at < 5; at++) {
    statuses.push(await statusOf())
    assert.equal(hub.size, 1)
  }
  assert.deepEqual(statuses, [101, 101, 503, 503, 503])
})

test('on a full bridge, one upgrade with other credentials than those of its station waits for the app', async t => {
  const { rpc, come, statusOf, station } = setUp(t, { room: 1 })
  await (await station()).boot()
  const held = rpc.hold('connect')
  const first = come(handshakeFor('CP1', { authorization: 'Basic B' }))
  await held.arrived()
  assert.equal(await statusOf(handshakeFor('CP1', { authorization: 'Basic C' })), 503)
  held.release({ status: 'failure' })
  assert.ok(!((await first) instanceof FakeStation))
})

test('a station whose place was taken meanwhile is refused, and the app sees it leave', async t => {
  const { rpc, world, come, station } = setUp(t, {}, { takeover: 'refuse' })
  const held = rpc.hold('connect')
  const second = come(handshakeFor('CP1', { authorization: 'Basic B' }))
  const { sid } = await held.arrived()
  await (await station()).boot()
  held.release()
  const refusal = await second
  assert.ok(!(refusal instanceof FakeStation))
  assert.equal(refusal.status, 409)
  await world.pass(100)
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
})

test('a bridge that stops refuses stations, and waits until the app has seen those leave that it was just accepting', async t => {
  const { rpc, world, admission, hub, come, statusOf } = setUp(t)
  const held = rpc.hold('connect')
  const pending = come()
  const { sid } = await held.arrived()
  const stopped = Promise.all([admission.stop(), hub.drain(1_000)])
  assert.equal(await statusOf(handshakeFor('CP2')), 503)
  held.release()
  const refusal = await pending
  assert.ok(!(refusal instanceof FakeStation))
  assert.equal(refusal.reason, 'draining')
  await world.pass(100)
  await stopped
  assert.deepEqual(rpc.names(sid), ['connect', 'disconnect'])
})

test('who guesses is slowed down and costs no Connect; the right key comes in, from there and from elsewhere', async t => {
  const { rpc, come, statusOf, station } = setUp(t)
  await station()
  rpc.on('connect', ({ env }) => (env.headers['authorization'] === key ? {} : rejects()()))
  const guess = (at: number) => handshakeFor('CP1', { authorization: `Basic guess ${at}` })
  const statuses: number[] = []
  for (let at = 0; at < 10; at++) statuses.push(await statusOf(guess(at)))
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429, 429, 429])
  assert.equal(rpc.names().filter(name => name === 'connect').length, 6)
  const refusal = await come(guess(11))
  assert.ok(!(refusal instanceof FakeStation))
  assert.deepEqual([refusal.reason, refusal.headers], ['guessing', { 'Retry-After': 1 }])
  assert.equal(await statusOf(), 101, 'the app has accepted this key before')
  const { env, ...cp1 } = handshakeFor('CP1', { authorization: 'Basic new' })
  rpc.on('connect', () => ({}))
  const elsewhere = { ...cp1, env: { ...env, headers: { ...env.headers, REMOTE_ADDR: '192.0.2.9' } } }
  assert.equal(await statusOf(elsewhere), 101)
})

test('guesses at the same time cost no more Connects than those one after another, and end with the verdict', async t => {
  const { rpc, statusOf } = setUp(t)
  rpc.on('connect', rejects())
  const guess = (at: number) => handshakeFor('CP1', { authorization: `Basic guess ${at}` })
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => statusOf(guess(at))))
  assert.equal(rpc.names().length, 5)
  assert.deepEqual([new Set(statuses.slice(0, 5)), new Set(statuses.slice(5))], [new Set([401]), new Set([429])])
})

test('a station that reconnects many times while the app is slow is not a guesser', async t => {
  const { rpc, statusOf } = setUp(t)
  const held = rpc.hold('connect')
  const statuses = Array.from({ length: 12 }, () => statusOf())
  await held.arrived()
  held.release()
  assert.deepEqual(await Promise.all(statuses), [...Array.from({ length: 11 }, () => 503), 101])
  rpc.on('connect', fails(faults.absent))
  for (let at = 0; at < 12; at++) await statusOf(handshakeFor('CP1', { authorization: `Basic new ${at}` }))
  rpc.on('connect', () => ({}))
  assert.equal(
    await statusOf(handshakeFor('CP1', { authorization: 'Basic new' })),
    101,
    'the app has judged none of them',
  )
})

test('with Connect at the boot, sockets that say nothing hold nobody, and cost no more Connects than others', async t => {
  const { world, rpc, come, station, statusOf } = setUp(t, { connectOn: 'boot' })
  rpc.on('connect', ({ env }) => (env.headers['authorization'] === key ? {} : rejects()()))
  const guess = (at: number) => handshakeFor('CP1', { authorization: `Basic guess ${at}` })
  const came = await Promise.all(Array.from({ length: 20 }, (_, at) => come(guess(at))))
  const open = came.filter(each => each instanceof FakeStation)
  assert.equal(open.length, 20)
  const cp1 = await station()
  for (const each of open) each.says([2, 'b', 'BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' }])
  await Promise.all(open.map(each => each.ended()))
  assert.equal(rpc.names().length, 5)
  assert.equal(await statusOf(guess(22)), 429)
  assert.equal(cp1.socket.closed, null)
  await world.pass(0)
})

const modes = ['upgrade', 'boot', 'keys'] as const
const pauses = [null, 30_000] as const
for (const mode of modes)
  for (const pauseMs of pauses) {
    const when = pauseMs === null ? 'when it may' : 'each 30 s'
    test(`a station that is back ${when} comes in while its neighbour tries ten new keys a second: ${mode}`, async t => {
      const { world, rpc, come } = setUp(t, { connectOn: mode === 'upgrade' ? 'upgrade' : 'boot' })
      rpc.on('connect', ({ env }) => (env.headers['authorization'] === key ? {} : rejects()()))
      if (mode === 'keys')
        world.keys = {
          ...keysOf(null, 'wrong'),
          check: (_, given) => Promise.resolve(given === key ? 'right' : 'wrong'),
        }
      const isIn = async (authorization: string): Promise<boolean | number> => {
        const came = await come(handshakeFor('CP1', { authorization }), authorization)
        if (!(came instanceof FakeStation)) return Number(came.headers['Retry-After'] ?? 0) * 1_000
        if (mode === 'boot') {
          came.says([2, 'b', 'BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' }])
          await quiet()
        }
        return true
      }
      let dueMs = 2_000
      let atMs = 0
      for (let isAdmitted = false; !isAdmitted; atMs += 100) {
        await isIn(`Basic guess ${atMs}`)
        await world.pass(100, 100)
        if (atMs < dueMs) continue
        const answer = await isIn(key)
        isAdmitted = answer === true
        dueMs = atMs + (pauseMs ?? Number(answer))
        assert.ok(atMs < 100_000)
      }
      assert.ok(atMs < (pauseMs === null ? 20_000 : 100_000), `after ${atMs} ms`)
    })
  }

test('a random key is checked at once, whatever others guess, and a right one gets in beyond the limit of its address', async t => {
  const { world, statusOf } = setUp(t, { connectOn: 'boot' })
  world.keys = { ...keysOf(null, 'wrong'), isRandom: () => true }
  for (let at = 0; at < 10_000; at++) assert.equal(await statusOf(), 401)
  assert.equal(await statusOf(), 429)
  world.keys = { ...keysOf(null, 'right'), isRandom: () => true }
  assert.equal(await statusOf(), 101)
  world.keys = { ...keysOf(null, 'wrong'), isRandom: () => true }
  assert.equal(await statusOf(), 429)
})

function keysOf(recalled: KeyVerdict | null, checked: KeyVerdict | 'busy', isChecking = false) {
  const asked: string[] = []
  return {
    asked,
    recall: () => recalled,
    isRandom: () => false,
    isChecking: () => isChecking,
    check: (_: string, authorization: string) => {
      asked.push(authorization)
      return Promise.resolve(checked)
    },
    offer: () => Promise.resolve(null),
    onNewKey: () => undefined,
  }
}

const keyed: readonly (readonly [
  recalled: KeyVerdict | null,
  checked: KeyVerdict | 'busy',
  status: number,
  checks: number,
])[] = [
  ['right', 'wrong', 101, 0],
  ['wrong', 'right', 401, 0],
  ['unknown', 'right', 404, 0],
  [null, 'right', 101, 1],
  [null, 'wrong', 401, 1],
  [null, 'busy', 503, 1],
]
for (const [recalled, checked, status, checks] of keyed) {
  test(`a key that is ${recalled ?? 'not known'}${recalled === null ? ` and ${checked}` : ''} is ${status}, with ${checks} checks`, async t => {
    const { world, rpc, statusOf } = setUp(t, { connectOn: 'boot' })
    const keys = keysOf(recalled, checked)
    world.keys = keys
    assert.equal(await statusOf(), status)
    assert.deepEqual(keys.asked, checks === 0 ? [] : [key])
    assert.deepEqual(rpc.names(), [], 'Connect is for the boot')
  })
}

test('a wrong key is refused before Connect, and guessing before its check', async t => {
  const { world, rpc, statusOf } = setUp(t)
  const keys = keysOf(null, 'wrong')
  world.keys = keys
  const statuses: number[] = []
  for (let at = 0; at < 7; at++) statuses.push(await statusOf())
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429])
  assert.deepEqual([keys.asked.length, rpc.names().length], [5, 0])
  world.keys = keysOf('right', 'wrong')
  assert.equal(await statusOf(), 101, 'a known key needs no check')
})

test('wrong keys that come at once cost no more checks than those that come one after another', async t => {
  const { world, statusOf } = setUp(t)
  const keys = keysOf(null, 'wrong')
  world.keys = keys
  const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf()))
  assert.equal(keys.asked.length, 5)
  assert.deepEqual(new Set(statuses.slice(5)), new Set([429]))
})

test('a right key is checked within 10 s when wrong ones have come from the same address, however many', async t => {
  const { world, come, statusOf } = setUp(t)
  const pass = (ms: number) => world.pass(ms)
  for (let at = 0; at < 30; at++) {
    world.keys = keysOf(null, 'wrong')
    await statusOf()
    await pass(3_000)
  }
  world.keys = keysOf(null, 'right')
  const refusal = await come()
  if (!(refusal instanceof FakeStation)) {
    assert.equal(refusal.status, 429)
    assert.ok(Number(refusal.headers['Retry-After']) <= 10)
    await pass(Number(refusal.headers['Retry-After']) * 1_000)
  }
  assert.equal(await statusOf(), 101)
  world.keys = keysOf(null, 'wrong')
  assert.equal(await statusOf(), 401, 'the right key has ended the wait')
})

const uncounted: readonly (readonly [keys: ReturnType<typeof keysOf>, status: number, because: string])[] = [
  [keysOf(null, 'busy'), 503, 'was not checked'],
  [keysOf(null, 'wrong', true), 401, 'joins a check in progress'],
]
for (const [keys, status, because] of uncounted) {
  test(`an attempt does not count when it ${because}`, async t => {
    const { world, statusOf } = setUp(t)
    world.keys = keys
    const statuses = new Set<number>()
    for (let at = 0; at < 20; at++) statuses.add(await statusOf())
    assert.deepEqual([...statuses], [status])
    world.keys = keysOf(null, 'right')
    assert.equal(await statusOf(), 101)
  })
}

test('an address that has tried 10,000 unknown stations can no longer learn which stations exist', async t => {
  const { world, statusOf } = setUp(t)
  world.keys = keysOf('unknown', 'unknown')
  for (let at = 0; at < 10_000; at++) await statusOf()
  const statuses: number[] = []
  for (const recalled of ['unknown', 'wrong', null, 'right'] as const) {
    world.keys = keysOf(recalled, 'wrong')
    statuses.push(await statusOf())
  }
  assert.deepEqual(statuses, [429, 429, 429, 101])
})

test('10,000 stations that connect at once are all let in, with no more Connects in flight than permits', async t => {
  const fake = new FakeWorld(t)
  let inFlight = 0
  let most = 0
  const transport: Transport = {
    connect: async () => {
      most = Math.max(most, ++inFlight)
      await quiet()
      inFlight--
      return { status: 'success', connectionIdentifiers: '{}', transmissions: [], cstate: {} }
    },
    command: () => assert.fail('no station has said anything'),
    disconnect: () => assert.fail('no station has left'),
    problem: () => Promise.resolve(null),
    abort: () => undefined,
  }
  const limits = { host: 'app', concurrency: 28, requestTimeoutMs: 0, commandTimeoutMs: 3_000 }
  const { meter, log, visitLog, schemas, once, date, random, newId } = fake
  const off = { keys: null, trace: null, traces: null, events: null }
  const shared = { meter, log, visitLog, schemas, once, date, random, newId, ...off }
  const world = { ...shared, rpc: new Guard(transport, limits, meter, log), now: performance.now.bind(performance) }
  const admission = new Admission({ connectOn: 'upgrade', room: 10_000 }, fake.hub, world)
  const stations = Array.from({ length: 10_000 }, (_, at) => handshakeFor(`CP${at}`))
  const admitted = await Promise.all(
    stations.map(async station => {
      const refusal = admission.refusal(station)
      return refusal ?? (await admission.ask(station, '', new AbortController().signal))
    }),
  )
  assert.deepEqual(new Set(admitted.map(({ kind }) => kind)), new Set(['admitted']))
  assert.equal(most, 28)
})
