/** When a subchannel connects: attempts are counted by a server that hangs up. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Subchannel, type SubchannelOwner } from '../../../src/rpc/grpc/subchannel.ts'
import { openTcp } from '../../support/tcp.ts'
import { RawApp } from './raw-app.ts'

const within = { timeout: 20_000 }
const settings = { host: 'app.example', trust: null, keepaliveMs: 30_000, pongMs: 20_000 }

class Owner implements SubchannelOwner {
  hasConnection = false
  readonly events: string[] = []
  #wake: () => void = () => undefined

  onReady(): void {
    this.#note('ready')
  }

  onLost(): void {
    this.#note('lost')
  }

  onAttemptFailed(): void {
    this.#note('failed')
  }

  async until(count: number, event: string): Promise<void> {
    while (this.events.filter(one => one === event).length < count)
      await new Promise<void>(resolve => (this.#wake = resolve))
  }

  #note(event: string): void {
    this.events.push(event)
    this.#wake()
  }
}

function open(t: TestContext, port: number) {
  const owner = new Owner()
  const subchannel = new Subchannel('127.0.0.1', { ...settings, port }, owner)
  t.after(() => subchannel.close())
  return { owner, subchannel }
}

/** Hangs up on every connection; when it did. */
async function openHangUp(t: TestContext) {
  const attempts: number[] = []
  const { host } = await openTcp(t, socket => {
    attempts.push(performance.now())
    socket.destroy()
  })
  const gaps = () => attempts.slice(1).map((at, index) => Math.round(at - (attempts[index] ?? 0)))
  return { port: Number(host.split(':')[1]), gaps }
}

test('attempts back off up to a second while no other address has a connection', within, async t => {
  const { port, gaps } = await openHangUp(t)
  const { owner, subchannel } = open(t, port)
  await owner.until(6, 'failed')
  const [first = 0, , third = 0, , fifth = 0] = gaps()
  assert.ok(first >= 150 && first < 600, gaps().join(', '))
  assert.ok(third > 1.5 * first && fifth < 1_400, gaps().join(', '))
  assert.equal(subchannel.isHopeful, false)
  assert.match(subchannel.problem ?? '', /may expect TLS|ECONNRESET/)
})

test('attempts back off without end while another address has a connection', within, async t => {
  const { port, gaps } = await openHangUp(t)
  const { owner } = open(t, port)
  owner.hasConnection = true
  await owner.until(6, 'failed')
  // 0.2, 0.4, 0.8, 1.6, 3.2 s, less a fifth at most.
  const [, , third = 0, fourth = 0, fifth = 0] = gaps()
  assert.ok(third < 1_200 && fourth > 1_200 && fifth > 2_500, gaps().join(', '))
})

test('backoff is a second again when the other address has lost its connection', within, async t => {
  const { port, gaps } = await openHangUp(t)
  const { owner } = open(t, port)
  owner.hasConnection = true
  await owner.until(5, 'failed')
  owner.hasConnection = false
  await owner.until(7, 'failed')
  const [last = 0] = gaps().slice(-1)
  assert.ok(last < 1_400, gaps().join(', '))
})

test('connectNow ends a backoff at once', within, async t => {
  const app = await RawApp.start(t)
  app.stop()
  const { owner, subchannel } = open(t, app.port)
  owner.hasConnection = true
  await owner.until(4, 'failed')
  await app.start()
  const since = performance.now()
  subchannel.connectNow()
  assert.equal(subchannel.isHopeful, true)
  await owner.until(1, 'ready')
  assert.ok(performance.now() - since < 800, 'without the backoff of 1.6 s')
  assert.notEqual(subchannel.connection, null)
  assert.equal(subchannel.problem, null)
})

test('connectNow does nothing when there is a connection', within, async t => {
  const app = await RawApp.start(t)
  const { owner, subchannel } = open(t, app.port)
  await owner.until(1, 'ready')
  const { connection } = subchannel
  subchannel.connectNow()
  assert.equal(subchannel.connection, connection)
  assert.equal(app.sessions.all.length, 1)
})

test('a lost connection is replaced at once when it has lasted', within, async t => {
  const app = await RawApp.start(t)
  const { owner, subchannel } = open(t, app.port)
  await owner.until(1, 'ready')
  await new Promise(resolve => setTimeout(resolve, 250))
  const since = performance.now()
  app.sessions.all[0]?.destroy()
  await owner.until(2, 'ready')
  assert.ok(performance.now() - since < 150, 'without a backoff')
  assert.deepEqual(owner.events, ['ready', 'lost', 'ready'])
  assert.notEqual(subchannel.connection, null)
})

test('nothing connects any more after close', within, async t => {
  const { port, gaps } = await openHangUp(t)
  const { owner, subchannel } = open(t, port)
  await owner.until(2, 'failed')
  subchannel.close()
  await new Promise(resolve => setTimeout(resolve, 600))
  assert.equal(gaps().length, 1)
})
