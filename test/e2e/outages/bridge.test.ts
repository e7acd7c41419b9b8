/**
 * The bridge is killed (`kill -9`) at each step of a stored message, and at the same steps without `state_dir`. The
 * program has no hook for this: each step shows itself outside of it, at the app, on the station's socket or in the
 * metrics, and is held there until the bridge is dead.
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { openProxy, type Proxy } from '../../support/proxy.ts'
import { QueueingStation, viaOcppRpc16, viaOcppRpc201 } from '../../support/queueing-station.ts'
import { more, until } from '../failures/scene.ts'
import { appIsAway, assertOutcome, disks, openSite, type Disk, type Outcome, type Side, type Site } from './site.ts'

/** A site with one bridge, and a station of each version, behind a proxy each. */
type Scene = Site & {
  readonly side: Side
  readonly stations: readonly QueueingStation[]
  readonly proxies: readonly Proxy[]
}

type Step = {
  readonly name: string
  /** What it is, with `state_dir` and without. */
  readonly is: Readonly<Record<Disk, string>>
  readonly outcomes: Readonly<Record<Disk, Outcome>>
  /** Resolves when both stations are at this step, which lasts until the bridge is killed. */
  readonly reached: (scene: Scene) => Promise<unknown>
}

const once = { 'without state_dir': { repeats: 'never' }, 'with state_dir': { repeats: 'never' } } as const
const onceStored = { ...once, 'with state_dir': { repeats: 'never', stores: true } } as const

/** Both stations end their charge; the messages have come in. */
async function end({ side: { bridge }, stations }: Scene): Promise<void> {
  const before = await bridge.metric('client_msg_total')
  for (const station of stations) station.make()
  await bridge.metricReaches('client_msg_total', before + stations.length)
}

/** With `state_dir`, both are confirmed; otherwise both connections have been closed. */
async function haveWord({ side: { dir }, stations }: Scene): Promise<void> {
  await until(
    () => stations.every(({ ledger, ends }) => (dir === null ? ends.length > 0 : ledger.queue.length === 0)),
    'both stations have word',
  )
}

/** The app is back, has what the stations' charges end with, and does not reply. */
async function bothAreDelivered({ app, books }: Scene, reply: Promise<unknown>): Promise<void> {
  const received = books.rows.length
  books.replies = reply
  await app.start()
  await until(() => books.rows.length >= received + 2, 'the app has both')
}

const steps: readonly Step[] = [
  {
    name: 'before the write',
    is: {
      'with state_dir': 'the app is away, the message has come in, and is being retried: it is written after 3 s',
      'without state_dir': 'the same: the connection would be closed after 3 s',
    },
    outcomes: once,
    reached: async scene => {
      await appIsAway(scene)
      await end(scene)
    },
  },
  {
    name: 'after the sync, before the station has the confirmation',
    is: {
      'with state_dir': 'a proxy holds back the confirmation, which the bridge sends after the sync',
      'without state_dir': 'a proxy holds back the close frame',
    },
    outcomes: onceStored,
    reached: async scene => {
      await appIsAway(scene)
      for (const proxy of scene.proxies) proxy.hold('down')
      const words = scene.proxies.map(proxy => more(proxy, 'down'))
      await end(scene)
      await Promise.all(words)
      if (scene.side.dir !== null) assert.equal(await scene.side.bridge.metric('ocpp_outbox_total'), 2)
    },
  },
  {
    name: 'after the confirmation, before the delivery',
    is: {
      'with state_dir': 'the stations have the confirmation, and the app is still away',
      'without state_dir': 'the stations have the close, and wait outside',
    },
    outcomes: onceStored,
    reached: async scene => {
      await appIsAway(scene)
      await end(scene)
      await haveWord(scene)
    },
  },
  {
    name: 'after the delivery, before the mark',
    is: {
      'with state_dir': 'the app is back, has booked what was stored, and does not reply',
      'without state_dir': 'the app is back, has booked what the stations sent again, and does not reply',
    },
    outcomes: {
      'without state_dir': { repeats: 'by key' },
      'with state_dir': { repeats: 'marked', stores: true },
    },
    reached: async scene => {
      await appIsAway(scene)
      await end(scene)
      await haveWord(scene)
      await bothAreDelivered(scene, new Promise(() => undefined))
    },
  },
  {
    name: 'with the reply of the app',
    is: {
      'with state_dir': 'the app replies, and the bridge is killed at once: the mark may be on the disk, or not',
      'without state_dir': 'the app replies, and the bridge is killed at once: the station may have the answer, or not',
    },
    outcomes: {
      'without state_dir': { repeats: 'by key' },
      'with state_dir': { repeats: 'marked', stores: true },
    },
    reached: async scene => {
      await appIsAway(scene)
      await end(scene)
      await haveWord(scene)
      let reply: (value?: unknown) => void = () => undefined
      await bothAreDelivered(scene, new Promise(resolve => (reply = resolve)))
      reply()
    },
  },
]

/** The app does not know of a lost connection before its keepalive: the bridge must not give up on a call meanwhile. */
const flags = ['--rpc_command_timeout=20s']

async function openScene(t: TestContext, disk: Disk): Promise<Scene> {
  const site = await openSite(t, { sides: [disk], flags })
  const [side] = site.sides
  assert.ok(side)
  const clients = { 'CP-1.6': viaOcppRpc16, 'CP-2.0.1': viaOcppRpc201 }
  const parts = await Promise.all(
    Object.entries(clients).map(async ([id, client]) => {
      const proxy = await openProxy(side.bridge.port)
      t.after(() => proxy.close())
      const station = new QueueingStation(id, () => `ws://${proxy.host}/ocpp`, client, {
        maxAttempts: 3,
        isManual: true,
      })
      t.after(() => station.close())
      return { proxy, station }
    }),
  )
  const stations = parts.map(({ station }) => station)
  return { ...site, side, stations, proxies: parts.map(({ proxy }) => proxy) }
}

describe('the bridge', { concurrency: 4, timeout: 180_000 }, () => {
  for (const { name, is, outcomes, reached } of steps) {
    for (const disk of disks) {
      test(`both ledgers are booked when the bridge is killed ${name}, ${disk}`, async t => {
        t.diagnostic(is[disk])
        const scene = await openScene(t, disk)
        const { app, books, side, stations, proxies } = scene
        for (const station of stations) {
          station.make()
          station.make()
        }
        await until(() => stations.every(({ ledger }) => ledger.queue.length === 0), 'both charge')
        await reached(scene)
        await side.bridge.kill('SIGKILL')
        for (const proxy of proxies) {
          proxy.cut()
          proxy.release()
        }
        books.replies = Promise.resolve()
        await side.bridge.restart()
        if (!app.isRunning) await app.start()
        await assertOutcome(scene, side, stations, outcomes[disk])
      })
    }
  }
})
