/**
 * The stations' port while many upgrade at once, on real sockets: who is connected goes first, and nobody is lost. Each
 * who comes in takes so much of a clock of the test's that few fit into a turn of the event loop.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OpenConnections, burstSeconds } from '../../src/server/limits/connections.ts'
import { usualTimeouts } from '../../src/server/http-server.ts'
import { Turnstile } from '../../src/server/limits/turnstile.ts'
import type { Shared } from '../../src/server/listener.ts'
import type { Reception } from '../../src/server/upgrade/upgrade.ts'
import { refused as refusalOf, type Refusal } from '../../src/translate/handshake.ts'
import type { Sockets } from '../../src/server/websocket/ports.ts'
import { keepUntil } from '../support/keep.ts'
import { addressLimits } from '../support/limits.ts'
import { dial, frameOf, openPeer, protocol, upgradeHeaders } from '../support/peer.ts'
import { openPort, openTestSockets, portHost as host, sharedLimits } from '../support/stations-port.ts'
import { holdTurns } from '../support/turns.ts'

const KiB = 1024
/** So that two fit into a turn. */
const admissionMs = 0.5

type Watch = {
  readonly refusal?: (stationId: string) => Refusal | null
  readonly onAdmit?: (stationId: string) => void
  readonly onText?: (stationId: string, text: string) => void
  readonly onUpgrade?: Sockets['upgrade']
  readonly ask?: Reception['ask']
  readonly limits?: Partial<Shared>
}

async function open(t: TestContext, { refusal, onAdmit, onText, onUpgrade, ask = null, limits = {} }: Watch = {}) {
  const admitted: string[] = []
  const refused: [number, string][] = []
  const faults: [string, unknown][] = []
  const released: string[] = []
  let now = 0
  const keep = keepUntil(end => t.after(end))
  const sockets = openTestSockets(keep)
  const watched: Sockets = {
    ...sockets,
    upgrade: (...upgrade) => {
      onUpgrade?.(...upgrade)
      sockets.upgrade(...upgrade)
    },
  }
  const reception: Partial<Reception> = {
    isKnown: ({ stationId }) => stationId.startsWith('known'),
    refusal: ({ stationId }) => refusal?.(stationId) ?? null,
    ask,
    release: ({ stationId }) => released.push(stationId),
    admit: ({ stationId }, socket) => {
      socket.accept()
      admitted.push(stationId)
      now += admissionMs
      onAdmit?.(stationId)
      return { receive: text => onText?.(stationId, text), gone: () => undefined }
    },
    onRefused: (_request, { status, problem }) => refused.push([status, problem]),
    onFault: ({ target }, error) => faults.push([target, error]),
    isOfApp: ({ url }) => url === '/app',
    answer: ({ url }, response) => url === '/app' && (response.end('seen'), true),
  }
  const turnstile = new Turnstile(() => now)
  const shared = { ...sharedLimits(), turnstile, ...limits }
  const listener = await openPort(keep, reception, shared, watched)
  const second = await openPort(keep, reception, shared, watched)
  const ends = { admitted, refused, faults, released }
  return { listener, turnstile, port: listener.port, secondPort: second.port, ...ends }
}

type Guest = {
  readonly id: string
  readonly socket: Socket
  /** The status of its upgrade's answer; 0 where the connection ends without. */
  readonly status: Promise<number>
  readonly closed: Promise<unknown>
}

/** Stations that are connected, each of which has had an answer, so that the next that it sends is read at once. */
async function comeIn(t: TestContext, port: number, count: number, prefix = 'CP'): Promise<Guest[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, at): Promise<Guest> => {
      const socket = connect(port, host)
      t.after(() => socket.destroy())
      socket.on('error', () => undefined) // 'close' follows
      socket.write('GET /app HTTP/1.1\r\nHost: csms.example\r\n\r\n')
      await once(socket, 'data')
      const closed = once(socket, 'close')
      const status = new Promise<number>(resolve => {
        socket.once('data', (answer: Buffer) => resolve(Number(answer.toString('latin1', 9, 12))))
        void closed.then(() => resolve(0))
      })
      return { id: `${prefix}${at}`, socket, status, closed }
    }),
  )
}

function upgrade({ id, socket }: Guest, rest: Buffer = Buffer.alloc(0)): void {
  const lines = [`GET /ocpp/${id} HTTP/1.1`, 'Host: csms.example', ...upgradeHeaders, protocol('ocpp1.6')]
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), rest]))
}

const idsOf = (guests: readonly Guest[]): string[] => guests.map(({ id }) => id)

test('300 upgrade at once: all are in, in order, and a connected station does not wait for them', async t => {
  let heardAfter = -1
  const { port, admitted } = await open(t, {
    onText: () => (heardAfter = admitted.length - 1),
  })
  const connected = await openPeer(port, '/ocpp/connected', [protocol('ocpp1.6')])
  t.after(() => connected.socket.destroy())
  const guests = await comeIn(t, port, 300)
  for (const guest of guests) upgrade(guest)
  connected.write(frameOf('[2,"1","Heartbeat",{}]'))
  const statuses = await Promise.all(guests.map(({ status }) => status))
  assert.deepEqual(new Set(statuses), new Set([101]))
  assert.deepEqual(admitted, ['connected', ...idsOf(guests)])
  assert.ok(heardAfter >= 0, 'it was heard')
  assert.ok(heardAfter < 100, `it sent after all of them, and was heard when ${heardAfter} of them were in`)
})

test('an upgrade whose station disconnects while it waits is skipped, and does not delay the next one', async t => {
  const asked: string[] = []
  const { port, admitted, refused } = await open(t, {
    refusal: id => {
      asked.push(id)
      return null
    },
    onAdmit: id => id === 'CP0' && guests[9]?.socket.resetAndDestroy(),
  })
  const guests = await comeIn(t, port, 12)
  for (const guest of guests) upgrade(guest)
  await Promise.all(guests.map(({ status }) => status))
  const others = idsOf(guests).filter(id => id !== 'CP9')
  assert.deepEqual(admitted, others)
  assert.deepEqual(asked, others, 'it costs no more than its place in the line')
  assert.deepEqual(refused, [])
})

test('what a station says while it waits is neither lost nor read without end', async t => {
  const unread: number[] = []
  const texts = Array.from({ length: 64 }, (_, at) => `${at}`.padEnd(64 * KiB))
  const heard: string[] = []
  let hearAll: () => void = () => undefined
  const allHeard = new Promise<void>(resolve => (hearAll = resolve))
  const { port } = await open(t, {
    onUpgrade: (_request, stream) => unread.push(stream.readableLength),
    onText: (_id, text) => {
      if (heard.push(text) === texts.length) hearAll()
    },
  })
  const guests = await comeIn(t, port, 300)
  for (const guest of guests.slice(0, -1)) upgrade(guest)
  const [last] = guests.slice(-1)
  assert.ok(last !== undefined, 'it is there')
  const [first = '', ...more] = texts
  upgrade(last, frameOf(first).subarray(0, 100))
  last.socket.write(Buffer.concat([frameOf(first).subarray(100), ...more.map(text => frameOf(text))]))
  await allHeard
  assert.deepEqual(heard, texts)
  const mostUnread = Math.max(...unread)
  assert.ok(mostUnread > 0, 'it said more than its request while it waited')
  assert.ok(mostUnread <= 2 * 64 * KiB, `${mostUnread} bytes of its ${texts.length * 64 * KiB} waited here`)
})

test('a bug in one upgrade ends its connection alone, and is reported', async t => {
  const [first, second] = [new Error('a fault with CP0'), new Error('a fault with CP5')]
  const { port, admitted, refused, faults } = await open(t, {
    onAdmit: id => {
      if (id === 'CP0') throw first
      if (id === 'CP5') throw second
    },
  })
  const guests = await comeIn(t, port, 10)
  for (const guest of guests) upgrade(guest)
  await Promise.all([...guests.map(({ status }) => status), guests[0]?.closed, guests[5]?.closed])
  assert.deepEqual(admitted, idsOf(guests))
  assert.deepEqual(refused, [])
  assert.deepEqual(
    faults.map(([target]) => target),
    ['/ocpp/CP0', '/ocpp/CP5'],
  )
  assert.equal(faults[0]?.[1], first, 'the error itself, with its stack')
  assert.equal(faults[1]?.[1], second, 'the error itself, with its stack')
  assert.deepEqual(idsOf(guests.filter(({ socket }) => socket.closed)), ['CP0', 'CP5'])
})

test('upgrades that wait get the answer of later ones when the turnstile runs them all', async t => {
  const leaving = refusalOf(503, 'draining', 'The CSMS is shutting down')
  let isLeaving = false
  let refusedAtOnce = 0
  const { listener, turnstile, port, admitted, refused } = await open(t, {
    refusal: () => (isLeaving ? leaving : null),
    onAdmit: id => {
      if (id !== 'CP3') return
      isLeaving = true
      turnstile.runAll()
      void listener.close()
      refusedAtOnce = refused.length
    },
  })
  const guests = await comeIn(t, port, 10)
  for (const guest of guests) upgrade(guest)
  const statuses = await Promise.all(guests.map(({ status }) => status))
  assert.deepEqual(admitted, ['CP0', 'CP1', 'CP2', 'CP3'])
  assert.deepEqual(statuses, [...Array<number>(4).fill(101), ...Array<number>(6).fill(503)])
  assert.equal(refusedAtOnce, 6, 'before whoever closes the port goes on')
})

const connected = {
  sid: 's',
  reply: { status: 'success', connectionIdentifiers: '{}', transmissions: [], cstate: {} },
} as const

test('stations that wait for a decision delay no other station, and what they send meanwhile is delivered after it', async t => {
  const decide = new Map<string, () => void>()
  const heard: string[] = []
  const { port, admitted, refused, faults } = await open(t, {
    ask: async ({ stationId }, authorization) => {
      assert.equal(authorization, '')
      await new Promise<void>(resolve => decide.set(stationId, resolve))
      if (stationId === 'CP1') return refusalOf(401, 'unauthorized', 'no')
      if (stationId === 'CP2') throw new Error('a bug')
      return { kind: 'admitted', connected }
    },
    onText: (id, text) => heard.push(`${id} ${text}`),
  })
  const guests = await comeIn(t, port, 4)
  for (const guest of guests) upgrade(guest, frameOf(`from ${guest.id}`))
  while (decide.size < 4) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(admitted, [])
  for (const id of ['CP3', 'CP2', 'CP1', 'CP0']) decide.get(id)?.()
  assert.deepEqual(await Promise.all(guests.map(({ status }) => status)), [101, 401, 0, 101])
  assert.deepEqual([admitted, refused], [['CP3', 'CP0'], [[401, 'no']]])
  assert.deepEqual(
    faults.map(([target]) => target),
    ['/ocpp/CP2'],
  )
  while (heard.length < 2) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(heard.sort(), ['CP0 from CP0', 'CP3 from CP3'])
})

test('a station that resets its connection while it waits is released, not admitted', async t => {
  let decide: () => void = () => undefined
  const left = new Promise<void>(resolve => (decide = resolve))
  const { port, admitted, released, refused } = await open(t, {
    ask: async (_handshake, _authorization, gone) => {
      gone.addEventListener('abort', decide)
      guests[0]?.socket.resetAndDestroy()
      await left
      return { kind: 'admitted', connected }
    },
  })
  const guests = await comeIn(t, port, 1)
  for (const guest of guests) upgrade(guest)
  await left
  while (released.length === 0) await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([admitted, released, refused], [[], ['CP0'], []])
})

const invalid: readonly (readonly [lines: readonly string[], because: string])[] = [
  [upgradeHeaders.filter(line => !line.includes('Key')), 'no key'],
  [upgradeHeaders.map(line => line.replace('13', '7')), 'a version that is not served'],
]
for (const [lines, because] of invalid) {
  test(`an upgrade that cannot succeed is refused before any question: ${because}`, async t => {
    const { port, refused } = await open(t, { ask: () => assert.fail('asked') })
    const { head } = await dial(port, ['GET /ocpp/CP0 HTTP/1.1', 'Host: x', ...lines, protocol('ocpp1.6')])
    assert.match(head, /^HTTP\/1\.1 400 [^]*^Sec-WebSocket-Version: 13$/m)
    assert.deepEqual(refused, [[400, 'Invalid WebSocket upgrade']])
  })
}

describe('two listeners', () => {
  test('share the time of a turn: an upgrade on one waits for those that came before on the other', async t => {
    const { port, secondPort, admitted } = await open(t)
    const guests = [...(await comeIn(t, port, 20, 'A')), ...(await comeIn(t, secondPort, 20, 'B'))]
    for (const guest of guests) upgrade(guest)
    await Promise.all(guests.map(({ status }) => status))
    assert.deepEqual(admitted, idsOf(guests))
  })

  test('share the limit on connections of an address', async t => {
    const connections = new OpenConnections({ connPerAddress: 2, upgradeRate: 0 }, () => 0)
    const { port, secondPort, refused } = await open(t, { limits: { connections } })
    const guests = [...(await comeIn(t, port, 2)), ...(await comeIn(t, secondPort, 1))]
    for (const guest of guests.slice(1)) upgrade(guest)
    assert.deepEqual(await Promise.all(guests.slice(1).map(({ status }) => status)), [429, 429])
    assert.deepEqual(refused, Array(2).fill([429, 'Too many connections from one address']))
  })

  test('the upgrades of its neighbours keep no known station out, and known stations have as many of their own', async t => {
    const connections = new OpenConnections({ connPerAddress: 0, upgradeRate: 1 }, () => 0)
    const { port } = await open(t, { limits: { connections } })
    const statusesOf = async (guests: readonly Guest[]): Promise<Set<number>> => {
      for (const guest of guests) upgrade(guest)
      return new Set(await Promise.all(guests.map(({ status }) => status)))
    }
    assert.deepEqual(await statusesOf(await comeIn(t, port, burstSeconds)), new Set([101]))
    assert.deepEqual(await statusesOf(await comeIn(t, port, 1)), new Set([429]))
    assert.deepEqual(await statusesOf(await comeIn(t, port, burstSeconds, 'known')), new Set([101]))
    assert.deepEqual(await statusesOf(await comeIn(t, port, 1, 'known-too')), new Set([429]))
  })

  test('share the rate of upgrades of an address', async t => {
    const connections = new OpenConnections({ connPerAddress: 0, upgradeRate: 1 }, () => 0)
    const { port, secondPort } = await open(t, { limits: { connections } })
    const guests = [...(await comeIn(t, port, burstSeconds)), ...(await comeIn(t, secondPort, 1))]
    for (const guest of guests) upgrade(guest)
    const statuses = await Promise.all(guests.map(({ status }) => status))
    assert.deepEqual(statuses.sort(), [...Array<number>(burstSeconds).fill(101), 429])
  })

  test('share the limit on connections, upgraded or not', async t => {
    const { port, secondPort, refused } = await open(t, {
      limits: { connections: new OpenConnections(addressLimits, () => 0, 2) },
    })
    const [first = assert.fail()] = await comeIn(t, port, 1)
    await comeIn(t, secondPort, 1)
    for (const full of [port, secondPort]) {
      const late = connect(full, host).on('error', () => undefined)
      await once(late, 'close')
      assert.equal(late.bytesRead, 0)
    }
    assert.deepEqual(refused, Array(2).fill([503, 'The connection limit is reached']))
    first.socket.destroy()
    await first.closed
    for (let isIn = false; !isIn;) {
      const next = connect(secondPort, host).on('error', () => undefined)
      t.after(() => next.destroy())
      next.write('GET /health HTTP/1.1\r\nHost: csms.example\r\n\r\n')
      isIn = await Promise.race([once(next, 'data').then(() => true), once(next, 'close').then(() => false)])
    }
  })
})

test('requests that are overdue at the same time are answered in turns', { timeout: 20_000 }, async t => {
  const { turnstile: held, waiting } = holdTurns()
  let connections = 0
  const enter = (work: () => void): void => (++connections > 2 ? held.enter(work) : work())
  const turnstile = { ...held, enter }
  const keep = keepUntil(end => t.after(end))
  const timeouts = { ...usualTimeouts, head: 100, check: 20 }
  const { port } = await openPort(keep, {}, { turnstile, timeouts })
  const guests = Array.from({ length: 2 }, () => connect(port, host))
  t.after(() => guests.forEach(guest => guest.destroy()))
  const answers = guests.map(guest => once(guest, 'data').then(([bytes]) => String(bytes)))
  while (waiting.length < 2) await sleep(5)
  waiting.shift()?.()
  assert.match(await Promise.race(answers), /^HTTP\/1\.1 408 /)
  assert.equal(waiting.length, 1)
  waiting.shift()?.()
  for (const answer of await Promise.all(answers)) assert.match(answer, /^HTTP\/1\.1 408 /)
})
