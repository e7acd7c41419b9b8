/**
 * The socket of a station, on real connections: compression, and stations that read too slowly or send too much.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { constants, inflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'
import type { SocketSettings } from '../../../src/server/websocket/ports.ts'
import type { StationSocket } from '../../../src/session/ports.ts'
import { socketLimits } from '../../support/limits.ts'
import { closeCode, compressedFrameOf, ended, frameOf, openPeer, opcodes } from '../../support/peer.ts'
import { openUpgraded } from '../../support/sockets.ts'
import { holdTurns } from '../../support/turns.ts'

const MiB = 1024 * 1024
const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'

/** Connects a client that offers compression, and returns both ends. */
async function connected(t: TestContext, settings: Partial<SocketSettings> = {}) {
  const { meter, port, next } = await openUpgraded(t, settings)
  const opened = next()
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: true })
  t.after(() => client.terminate())
  await once(client, 'open')
  assert.equal(client.extensions, 'permessage-deflate')
  return { client, meter, ...(await opened) }
}

test('messages from 1 KiB on are compressed without context from earlier ones', async t => {
  const { port, next } = await openUpgraded(t)
  const opened = next()
  const peer = await openPeer(port, '/', [offer])
  t.after(() => peer.socket.destroy())
  const { socket } = await opened
  const texts = ['x'.repeat(1023), 'y'.repeat(1024), 'y'.repeat(1024)]
  for (const text of texts) socket.send(text)
  for (const text of texts) {
    const { compressed, payload } = await peer.next(opcodes.text)
    assert.equal(compressed, text.length >= 1024)
    const read = compressed ? inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH, windowBits: 10 }) : payload
    assert.equal(read.toString(), text)
  }
})

test('messages and the close frame after them arrive in order', async t => {
  const { client, socket, gone } = await connected(t)
  const received: string[] = []
  client.on('message', (data: Buffer) => received.push(data.toString()))
  const texts = ['a'.repeat(500_000), 'b', 'c'.repeat(2_000), 'd']
  for (const text of texts) socket.send(text)
  socket.close(1008, 'that was all')
  const [code] = (await once(client, 'close')) as [number]
  assert.deepEqual([received, code], [texts, 1008])
  assert.equal((await gone).code, 1008)
})

for (const code of [1001, 1012] as const) {
  test(`the connection ends without a close frame when ocpp_close=abort and the code is ${code}, behind what was sent`, async t => {
    const { client, socket, gone } = await connected(t, { close: [{ station: 'CP*', mode: 'abort' }] })
    const received: string[] = []
    client.on('message', (data: Buffer) => received.push(data.toString()))
    socket.send('before')
    socket.close(code, 'come back')
    assert.equal(((await once(client, 'close')) as [number])[0], 1006)
    assert.deepEqual(received, ['before'])
    assert.deepEqual(await gone, { code, reason: 'come back' })
  })
}

test('the connection ends with a close frame when ocpp_close=abort and the station need not come back, or is another', async t => {
  for (const [station, code] of [
    ['CP*', 1008],
    ['X*', 1012],
  ] as const) {
    const { client, socket } = await connected(t, { close: [{ station, mode: 'abort' }] })
    socket.close(code, 'bye')
    assert.equal(((await once(client, 'close')) as [number])[0], code)
  }
})

test('a station that does not answer the close frame is cut off', { timeout: 10_000 }, async t => {
  const { port, next } = await openUpgraded(t)
  const opened = next()
  const peer = await openPeer(port, '/', [offer])
  t.after(() => peer.socket.destroy())
  const { socket, gone } = await opened
  socket.close(1008, 'bye')
  await ended(peer)
  assert.equal((await gone).code, 1006, 'no close frame came back')
})

test('a closed socket is garbage as soon as its connection has ended', async t => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const socket = await closedSocket(t)
  // Node lets go of its own handles in later turns.
  for (let turn = 0; turn < 20 && socket.deref() !== undefined; turn++) {
    await setImmediate()
    collect()
  }
  assert.equal(socket.deref(), undefined)
})

/** Only a weak reference to it is left. */
async function closedSocket(t: TestContext): Promise<WeakRef<StationSocket>> {
  const { client, socket, gone } = await connected(t)
  socket.close(1008, 'bye')
  await once(client, 'close')
  await gone
  return new WeakRef(socket)
}

test('the byte counters count messages before compression', async t => {
  const { client, socket, meter } = await connected(t)
  const arrived = once(client, 'message')
  socket.send('x'.repeat(10_000))
  await arrived
  client.send('y'.repeat(20_000))
  client.close()
  await once(client, 'close')
  assert.deepEqual([meter.total('data_sent_total'), meter.total('data_rcvd_total')], [10_000, 20_000])
})

test('many messages at once reach a reading station, although they queue for compression', async t => {
  const { client, socket } = await connected(t)
  const texts = Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(200_000))
  const received: string[] = []
  const all = new Promise<void>(resolve =>
    client.on('message', (data: Buffer) => received.push(data.toString()) === texts.length && resolve()),
  )
  for (const text of texts) socket.send(text)
  await Promise.race([all, once(client, 'close')])
  assert.deepEqual(received, texts)
})

test('a message above the pending-size limit reaches a reading station', async t => {
  const { client, socket } = await connected(t, { maxPendingSize: 1_000 })
  const arrived = once(client, 'message')
  socket.send('x'.repeat(MiB))
  const [data] = (await arrived) as [Buffer]
  assert.equal(data.length, MiB)
})

for (const perMessageDeflate of [true, false]) {
  test(`a station that does not read is disconnected ${perMessageDeflate ? 'with' : 'without'} compression`, async t => {
    const { meter, port, next } = await openUpgraded(t)
    const opening = next()
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate })
    t.after(() => client.terminate())
    await once(client, 'open')
    client.pause()
    const { socket, gone } = await opening
    const end = new AbortController()
    void gone.then(() => end.abort())
    const text = randomBytes(150_000).toString('base64')
    for (let sent = 0; !end.signal.aborted && sent < 1_000; sent++) {
      socket.send(text)
      await sleep(5) // or none of it would be compressed and on its way
    }
    assert.deepEqual(await gone, { code: 1006, reason: 'Reads too slowly' })
    assert.equal(meter.total('disconnected_slow_clients_total'), 1)
  })
}

test(
  'a paused socket is closed with 1009 when it receives far more than one read can hold',
  { timeout: 30_000 },
  async t => {
    const { port, next } = await openUpgraded(t, {}, 'ocpp2.1', socket => socket.pause())
    const opening = next()
    const peer = await openPeer(port, '/', [offer])
    t.after(() => peer.socket.destroy())
    const { received, gone } = await opening
    const message = compressedFrameOf(' '.repeat(MiB))
    assert.ok(message.length < 2_000, 'a small message that becomes a large one')
    peer.write(...Array<Buffer>(40).fill(message))
    assert.equal(await closeCode(peer), 1009)
    await ended(peer)
    assert.deepEqual(await gone, { code: 1009, reason: 'Too much at once' })
    assert.equal(received.length, 1, 'what was held is dropped')
  },
)

test('a burst of ordinary messages to a paused socket is not treated as a flood', async t => {
  let left = 400
  const done = new Promise<void>(resolve => {
    void openUpgraded(t, { maxMessageSize: 2_000, compression: 'off' }, 'ocpp1.6', socket => {
      socket.pause()
      void setImmediate().then(() => socket.resume())
      if (--left === 0) resolve()
    }).then(async ({ port }) => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/`)
      t.after(() => client.terminate())
      await once(client, 'open')
      for (let sent = 0; sent < 400; sent++) client.send('x'.repeat(1_500))
    })
  })
  await done
})

/** A station whose session takes one message and then none, until the test lets it. */
async function heldUp(t: TestContext, settings: Partial<SocketSettings> = {}) {
  let pauses = true
  const { port, next } = await openUpgraded(t, { compression: 'off', ...settings }, 'ocpp1.6', socket => {
    if (pauses) socket.pause()
  })
  const opening = next()
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  t.after(() => client.terminate())
  await once(client, 'open')
  const { socket, received, gone } = await opening
  const release = (): void => {
    pauses = false
    socket.resume()
  }
  let isGone = false
  void gone.then(() => (isGone = true))
  return { client, socket, received, gone, hasGone: () => isGone, release }
}

/** Numbered, and of so many bytes each. */
const numbered = (count: number, bytes: number): string[] =>
  Array.from({ length: count }, (_, at) => `${at}`.padEnd(bytes))

test('pings are answered at once when the session takes no messages', { timeout: 10_000 }, async t => {
  const { client, received, release } = await heldUp(t)
  const texts = numbered(150, 1_500)
  for (const text of texts) client.send(text)
  const answered = once(client, 'pong')
  client.ping('are you there')
  assert.equal(String((await answered)[0]), 'are you there')
  assert.deepEqual(received, texts.slice(0, 1), 'and the messages wait')
  release()
  assert.deepEqual(received, texts)
})

test('held messages arrive in order when each of them pauses the socket again', { timeout: 10_000 }, async t => {
  const { client, socket, received } = await heldUp(t)
  const texts = numbered(150, 1_500)
  for (const text of texts) client.send(text)
  for (let taken = 1; taken < texts.length; taken++) {
    while (received.length < taken) await setImmediate()
    assert.equal(received.length, taken, 'one for each time')
    socket.resume()
  }
  while (received.length < texts.length) await setImmediate()
  assert.deepEqual(received, texts)
})

test(
  'a close frame is answered at once, and the session hears of it after the messages before it',
  { timeout: 10_000 },
  async t => {
    const { client, socket, received, gone, hasGone, release } = await heldUp(t)
    const texts = numbered(150, 1_500)
    for (const text of texts) client.send(text)
    const closed = once(client, 'close')
    assert.equal(socket.isOpen, true)
    client.close(1000, 'all said')
    assert.equal((await closed)[0], 1000)
    await sleep(50)
    assert.deepEqual([received.length, hasGone(), socket.isOpen], [1, false, false])
    release()
    assert.deepEqual(received, texts)
    assert.deepEqual(await gone, { code: 1000, reason: 'all said' })
  },
)

test('messages before a reset reach the session when it takes none at that time', { timeout: 10_000 }, async t => {
  const { client, received, gone, hasGone, release } = await heldUp(t)
  const texts = numbered(20, 1_500)
  for (const text of texts) client.send(text)
  const answered = once(client, 'pong')
  client.ping()
  await answered
  client.terminate()
  await sleep(50)
  assert.equal(hasGone(), false)
  release()
  assert.deepEqual(received, texts)
  assert.equal((await gone).code, 1006)
})

test(
  'a socket is not read beyond its limit when the session takes no messages, and nothing is lost',
  { timeout: 20_000 },
  async t => {
    const { client, socket, received, release } = await heldUp(t)
    const texts = numbered(2_000, 20_000)
    for (const text of texts) client.send(text)
    await sleep(300)
    assert.ok(
      client.bufferedAmount > 20 * MiB,
      `only ${client.bufferedAmount} of ${40 * MiB} bytes are still with the station`,
    )
    assert.equal(received.length, 1)
    socket.resume()
    assert.equal(received.length, 2, 'one for each time')
    release()
    while (received.length < texts.length) await sleep(10)
    assert.deepEqual(received, texts)
  },
)

test('many tiny messages count for the memory they take when the session takes none', { timeout: 20_000 }, async t => {
  const { client, received, release } = await heldUp(t)
  const count = 200_000
  for (let sent = 0; sent < count; sent++) client.send('x')
  let ponged = false
  client.on('pong', () => (ponged = true))
  client.ping()
  await sleep(300)
  assert.equal(ponged, false, 'the socket is not read any more')
  release()
  while (received.length < count) await sleep(10)
})

for (const isAccepted of [true, false]) {
  const how = isAccepted ? 'that is accepted gets its pong at once' : 'that is not accepted gets its pong in a turn'
  test(`a station ${how}`, { timeout: 10_000 }, async t => {
    const { turnstile, waiting } = holdTurns()
    const { port } = await openUpgraded(t, {}, 'ocpp2.1', () => undefined, isAccepted, turnstile)
    const peer = await openPeer(port, '/', [])
    t.after(() => peer.socket.destroy())
    peer.write(frameOf('payload', { opcode: opcodes.ping }))
    if (!isAccepted) {
      while (waiting.length === 0) await sleep(5)
      waiting.shift()?.()
      // The pong, and the frame after the ping.
      while (waiting.length < 2) await sleep(5)
      for (const work of waiting.splice(0)) work()
    }
    const { payload } = await peer.next(opcodes.pong)
    assert.deepEqual([payload.toString(), waiting], ['payload', []])
  })
}

test('nothing held reaches a session that has closed', { timeout: 10_000 }, async t => {
  const { client, socket, received, gone } = await heldUp(t)
  for (const text of numbered(20, 1_500)) client.send(text)
  const answered = once(client, 'pong')
  client.ping()
  await answered
  const closed = once(client, 'close')
  socket.close(1000, 'enough')
  socket.resume()
  assert.equal((await closed)[0], 1000)
  assert.equal((await gone).code, 1000)
  assert.equal(received.length, 1)
})

const latin1 = Buffer.from('[2,"1","Authorize",{"idTag":"Fran\u00e7ois"}]', 'latin1')
const replaced = '[2,"1","Authorize",{"idTag":"Fran\ufffdois"}]'
const warning = { key: 'invalid UTF-8', station: 'CP1', detail: 'CP1' }
/** [option, binary, compressed, what is received or the close code, the warnings, because] */
const texts: readonly (readonly [
  SocketSettings['invalidUtf8'],
  boolean,
  boolean,
  string | number,
  object[],
  string,
])[] = [
  ['close', false, false, 1007, [], 'RFC 6455 §8.1'],
  ['close', false, true, 1007, [], 'after decompression too'],
  ['close', true, false, replaced, [warning], 'a binary message may hold any bytes, and is served'],
  ['replace', false, false, replaced, [warning], 'as asked for'],
  ['replace', false, true, replaced, [warning], 'after decompression too'],
  ['replace', true, false, replaced, [warning], 'a binary message as well'],
]
for (const [invalidUtf8, binary, isCompressed, expected, warns, because] of texts) {
  const what = `${isCompressed ? 'compressed ' : ''}${binary ? 'binary' : 'text'}`
  test(`a ${what} message that is not UTF-8 ${expected === 1007 ? 'closes with 1007' : 'is served with U+FFFD'} when ocpp_invalid_utf8=${invalidUtf8}: ${because}`, async t => {
    const { port, next, warnings } = await openUpgraded(t, { invalidUtf8 })
    const opening = next()
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, {
      perMessageDeflate: isCompressed ? { threshold: 0 } : false,
    })
    t.after(() => client.terminate())
    await once(client, 'open')
    const { received, gone } = await opening
    for (const text of ['{"é":1}', latin1]) client.send(text, { binary, compress: isCompressed })
    if (expected !== 1007) client.close()
    const { code } = await gone
    assert.deepEqual([...received.slice(1), ...(code === 1007 ? [code] : [])], [expected])
    assert.equal(received[0], '{"é":1}', 'valid text is served as it is')
    assert.deepEqual(warnings, warns)
  })
}

test(
  'a socket is pinged once when it is probed, and knows whether its station answers',
  { timeout: 10_000 },
  async t => {
    const { port, next } = await openUpgraded(t, {}, 'ocpp2.1', socket => socket.send('read'))
    const opened = next()
    const peer = await openPeer(port, '/', [])
    t.after(() => peer.socket.destroy())
    const { socket } = await opened
    socket.probe()
    socket.probe()
    peer.write(frameOf('no pong'))
    await peer.next(opcodes.text)
    assert.equal(peer.received.filter(({ opcode }) => opcode === opcodes.ping).length, 1)
    assert.equal(socket.answersPings, false)
    peer.write(frameOf('', { opcode: opcodes.pong }), frameOf('a pong'))
    await peer.next(opcodes.text)
    assert.equal(socket.answersPings, true)
  },
)

/** Resolves once something has arrived; does not keep the process alive for it. */
async function arrival(received: readonly string[]): Promise<readonly string[]> {
  while (received.length < 1) await sleep(5, undefined, { ref: false })
  return received
}

/** A station that the app has not accepted, on a bare TCP socket. */
async function stranger(t: TestContext, settings: Partial<SocketSettings> = {}, headers: readonly string[] = []) {
  const { port, next, meter } = await openUpgraded(
    t,
    { ...socketLimits, ...settings },
    'ocpp2.1',
    () => undefined,
    false,
  )
  const opened = next()
  const peer = await openPeer(port, '/', headers)
  t.after(() => peer.socket.destroy())
  return { peer, meter, ...(await opened) }
}

const KiB = 1024
const bomb = compressedFrameOf('x'.repeat(65 * KiB))
const unfinished = frameOf('x'.repeat(60 * KiB), { fin: false })
const fragments = (count: number): Buffer =>
  Buffer.concat([
    frameOf('[', { fin: false }),
    ...Array.from({ length: count - 1 }, () => frameOf('x', { opcode: opcodes.continuation, fin: false })),
  ])
const flood = (opcode: number): Buffer => Buffer.concat(Array.from({ length: 5_000 }, () => frameOf('', { opcode })))

/** [what it sends before the app accepts it, the close code, the limit that is counted, the settings] */
const overLimits: readonly (readonly [string, Buffer, number, string, Partial<SocketSettings>])[] = [
  ['a message of 65 KiB', frameOf('x'.repeat(65 * KiB)), 1009, 'message_size', {}],
  ['a message that inflates to 65 KiB', bomb, 1009, 'message_size', {}],
  ['a message in 257 fragments', fragments(257), 1008, 'fragments', {}],
  ['a message without an end', unfinished, 1008, 'message_time', { messageTimeoutMs: 300 }],
  ['more unfinished bytes than all may', unfinished, 1013, 'unfinished', { unfinishedSize: 50 * KiB }],
  ['a flood of pongs', flood(opcodes.pong), 1008, 'flood', {}],
  ['a flood of pings', flood(opcodes.ping), 1008, 'flood', {}],
  ['a flood of empty messages', flood(opcodes.text), 1008, 'flood', {}],
]
for (const [what, bytes, code, limit, settings] of overLimits) {
  test(`a station that is not accepted is closed with ${code} when it sends ${what}`, { timeout: 20_000 }, async t => {
    const { peer, meter, gone } = await stranger(t, settings, [offer])
    peer.write(bytes)
    assert.equal(await closeCode(peer), code)
    await ended(peer)
    assert.equal((await gone).code, code)
    assert.equal(meter.total('ocpp_limit_total', { limit }), 1)
  })
}

/** [what breaks a rule, its bytes, the close code] */
const violations: readonly (readonly [string, Buffer, number])[] = [
  ['a message that is too large', frameOf('x'.repeat(65 * KiB)), 1009],
  ['too many fragments', fragments(257), 1008],
  ['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
  ['too many frames', flood(opcodes.pong), 1008],
]
for (const [what, bytes, code] of violations) {
  test(`nothing is read behind ${what}, however much comes`, { timeout: 20_000 }, async t => {
    const { peer, gone } = await stranger(t)
    peer.write(frameOf('held'), bytes)
    assert.equal(await closeCode(peer), code)
    let isTaken = false
    peer.socket.write(Buffer.alloc(64 * MiB), error => (isTaken = !error && !peer.socket.destroyed))
    assert.equal((await gone).code, code)
    assert.equal(isTaken, false)
  })
}

test('an accepted station that reconnects has what is left of its budget', { timeout: 20_000 }, async t => {
  const { port, next, meter } = await openUpgraded(t, { frameRate: 20 })
  const slowed = () => meter.total('ocpp_limit_total', { limit: 'frames' })
  const connect = async (): Promise<void> => {
    const opened = next()
    const peer = await openPeer(port, '/', [])
    const { received, gone } = await opened
    peer.write(...Array<Buffer>(4).fill(frameOf('x'.repeat(30 * KiB))))
    while (received.length < 4) await sleep(5)
    peer.socket.destroy()
    await gone
  }
  await connect()
  assert.equal(slowed(), 0)
  await connect()
  assert.equal(slowed(), 1)
})

test('no more than the budget is read of a station whose connection is being closed', { timeout: 20_000 }, async t => {
  const { peer, socket, gone } = await stranger(t)
  socket.close(1008, 'Rejected')
  assert.equal(await closeCode(peer), 1008)
  const messages = Buffer.concat(Array<Buffer>(1_200).fill(frameOf('x'.repeat(60 * KiB))))
  let isTaken = false
  peer.socket.write(messages, error => (isTaken = !error && !peer.socket.destroyed))
  await gone
  assert.equal(isTaken, false)
})

test('a station that is accepted, or was before, may send a message of full size', async t => {
  const { peer, socket, received } = await stranger(t)
  assert.equal(socket.expectLargeMessages(false), true)
  peer.write(frameOf('x'.repeat(100 * KiB)))
  socket.accept()
  peer.write(fragments(1_000), frameOf(']', { opcode: opcodes.continuation }))
  while (received.length < 2) await sleep(5)
  assert.deepEqual(
    received.map(text => text.length),
    [100 * KiB, 1_001],
  )
})

test('a compressed connection stays limited until the station is accepted, and no longer', async t => {
  const { peer, socket, received } = await stranger(t, {}, [offer])
  assert.equal(socket.expectLargeMessages(false), false)
  socket.accept()
  peer.write(bomb)
  while (received.length < 1) await sleep(5)
  assert.equal(received[0]?.length, 65 * KiB)
})

test('a compressed message may have full size before the app accepts the station when its credentials are known', async t => {
  const { peer, socket, received, gone } = await stranger(t, {}, [offer])
  assert.equal(socket.expectLargeMessages(true), true)
  peer.write(compressedFrameOf('x'.repeat(102_000)))
  assert.deepEqual(await Promise.race([gone, arrival(received)]), ['x'.repeat(102_000)])
})

/** Ten looks, and nine sweeps. */
const slowly = { messageTimeoutMs: 400, idleTimeoutMs: 1_200, leastIdleTimeoutMs: 60_000 }

/** Sends a message that takes longer than it may, and resolves with what becomes of it. */
async function sendSlowly({ peer, received, gone }: Awaited<ReturnType<typeof stranger>>): Promise<unknown> {
  const message = frameOf('x'.repeat(500))
  const feed = async (): Promise<void> => {
    for (let sent = 0; sent < message.length; sent += 10) {
      peer.write(message.subarray(sent, sent + 10))
      await sleep(30)
    }
  }
  await Promise.race([feed(), gone])
  return Promise.race([gone, arrival(received)])
}

const slowRows: readonly (readonly [who: string, how: (socket: StationSocket) => void])[] = [
  ['an accepted station', socket => socket.accept()],
  ['a station with credentials that the app accepted before', socket => void socket.expectLargeMessages(true)],
]
for (const [who, how] of slowRows)
  test(`a message of ${who} may take any time while its bytes arrive`, { timeout: 20_000 }, async t => {
    const opened = await stranger(t, slowly)
    how(opened.socket)
    assert.deepEqual(await sendSlowly(opened), ['x'.repeat(500)])
  })

test(
  'a message of a station of a known id is closed with 1008 when it takes too long',
  { timeout: 20_000 },
  async t => {
    const opened = await stranger(t, slowly)
    opened.socket.expectLargeMessages(false)
    assert.deepEqual(await sendSlowly(opened), { code: 1008, reason: 'A message took too long' })
  },
)

test(
  'a message of an accepted station is closed with 1008 when no more of it arrives',
  { timeout: 20_000 },
  async t => {
    const { peer, socket, meter } = await stranger(t, slowly)
    socket.accept()
    peer.write(unfinished)
    assert.equal(await closeCode(peer), 1008)
    assert.equal(meter.total('ocpp_limit_total', { limit: 'message_time' }), 1)
  },
)

test(
  'a station that reads slowly stays connected when one write takes longer than ws_write_timeout',
  { timeout: 60_000 },
  async t => {
    const { peer, socket, gone } = await stranger(t, { writeTimeoutMs: 1_500, maxPendingSize: 0 })
    const text = 'x'.repeat(24 * MiB)
    peer.socket.removeAllListeners('data').pause()
    socket.send(text)
    let read = 0
    const readSlowly = async (): Promise<number> => {
      while (read < text.length && !peer.socket.destroyed) {
        const { length } = (peer.socket.read(64 * KiB) ?? peer.socket.read() ?? '') as Buffer
        read += length
        await sleep(6)
      }
      return read
    }
    const end = await Promise.race([gone, readSlowly()])
    assert.ok(Number(end) >= text.length, JSON.stringify(end))
  },
)

test('a station that does not read is terminated after ws_write_timeout', { timeout: 20_000 }, async t => {
  const { peer, socket, gone, meter } = await stranger(t, { writeTimeoutMs: 300, maxPendingSize: 0 })
  peer.socket.pause()
  for (let sent = 0; sent < 20; sent++) socket.send('x'.repeat(MiB))
  assert.deepEqual(await gone, { code: 1006, reason: 'Does not read' })
  assert.equal(meter.total('disconnected_slow_clients_total'), 1)
})

test(
  'a station that does not read, and ends its side with a violation, is terminated after ws_write_timeout',
  { timeout: 20_000 },
  async t => {
    const { peer, socket, gone } = await stranger(t, { writeTimeoutMs: 300, maxPendingSize: 0 })
    peer.socket.pause()
    for (let sent = 0; sent < 20; sent++) socket.send('x'.repeat(MiB))
    // Its end is read before the violation, which waits behind the frames: then `ws` sets no time limit.
    peer.write(frameOf('a'), frameOf('b'), frameOf('c', { masked: false }))
    peer.socket.end()
    assert.equal((await gone).code, 1002)
  },
)

test('a station that pings and reads nothing is terminated after ws_write_timeout', { timeout: 30_000 }, async t => {
  const { port, next } = await openUpgraded(t, { writeTimeoutMs: 300 })
  const opening = next()
  const peer = await openPeer(port, '/', [offer])
  t.after(() => peer.socket.destroy())
  const { gone } = await opening
  peer.socket.pause()
  await flooding(peer.socket, frameOf('x'.repeat(125), { opcode: opcodes.ping })).catch(() => undefined)
  assert.deepEqual(await gone, { code: 1006, reason: 'Does not read' })
})

/** Sends the same frame as fast as it is taken; rejects once the connection has ended. */
async function flooding(socket: Socket, frame: Buffer): Promise<never> {
  const many = Buffer.concat(Array<Buffer>(500).fill(frame))
  for (;;) {
    if (!socket.write(many)) await once(socket, 'drain')
  }
}

test('while more waits for a station than may wait, its pings are not answered', { timeout: 20_000 }, async t => {
  const { port, next } = await openUpgraded(t, { maxPendingSize: MiB, compression: 'off' })
  const opening = next()
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  t.after(() => client.terminate())
  await once(client, 'open')
  client.pause()
  const { socket } = await opening
  socket.send('x'.repeat(20 * MiB))
  const pongs: string[] = []
  client.on('pong', data => pongs.push(data.toString()))
  client.ping('early')
  await sleep(200)
  client.resume()
  await once(client, 'message')
  client.ping('late')
  await once(client, 'pong')
  assert.deepEqual(pongs, ['late'])
})
