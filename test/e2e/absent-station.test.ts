/**
 * The stored messages of a station that never returns, with the real gem and the real store. Both bridges run in this
 * process, because the wait for the station is ten minutes in a bridge of its own.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Disconnects } from '../../src/fleet/disconnects.ts'
import { Hub } from '../../src/fleet/hub.ts'
import { openGrpc } from '../../src/rpc/grpc/channel.ts'
import { Guard } from '../../src/rpc/guard/guard.ts'
import type { StationSocket, World } from '../../src/session/ports.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openSchemas } from '../../src/validation/schemas.ts'
import { FakeLog, FakeMeter, handshakeFor, usualSettings } from '../support/fakes.ts'
import { keepUntil, type Keep } from '../support/keep.ts'
import { openRails, type Rails } from '../support/rails.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'

const within = { timeout: 180_000 }
const password = 'correct horse'
const authorization = `Basic ${Buffer.from(`CP1:${password}`).toString('base64')}`
const schemas = openSchemas()
/** For a station that is not connected, instead of ten minutes. */
const absentMs = 500
const outboxSize = 1_000_000

/** A bridge without its network side. */
async function openBridge(rails: Rails, dir: string | null, keep: Keep) {
  const [meter, log] = [new FakeMeter(), new FakeLog()]
  const transport = keep(openGrpc(`127.0.0.1:${rails.rpcPort}`))
  const limits = { host: `127.0.0.1:${rails.rpcPort}`, concurrency: 4, requestTimeoutMs: 0, commandTimeoutMs: 3_000 }
  const world: World = {
    ...{ rpc: new Guard(transport, limits, meter, log), keys: null, schemas, meter, log, visitLog: log },
    ...{ trace: null, traces: null, events: null },
    once: (_, fields, message) => (log.warn(typeof fields === 'function' ? {} : fields, message), true),
    now: performance.now.bind(performance),
    date: () => new Date(),
    random: () => 0.5,
    newId: () => randomUUID(),
  }
  const memory = dir === null ? null : keep(await openMemory(dir, outboxSize, world, openSourceStore))
  const disconnects = new Disconnects({ mode: 'auto', ratePerSecond: 100, backlog: 100 }, world)
  const hub = new Hub(usualSettings, disconnects, world, memory, absentMs)
  const sweeps = setInterval(() => hub.sweep(), 50)
  const bridge = {
    hub,
    meter,
    log,
    /** Ends as a killed process does: what was to be said to the app is not said. */
    close: async () => {
      clearInterval(sweeps)
      hub.abort()
      await hub.drain(0)
      await memory?.close()
      await transport.close()
    },
  }
  return keep(bridge)
}

/** A station, connected to a bridge. */
function connect({ hub }: Awaited<ReturnType<typeof openBridge>>) {
  const waiting = new Map<string, (frame: unknown) => void>()
  const socket: StationSocket = {
    ...{ isOpen: true, answersPings: true, close: () => undefined, pause: () => undefined, resume: () => undefined },
    ...{
      accept: () => undefined,
      expectLargeMessages: () => false,
      probe: () => undefined,
      expectHeartbeats: () => undefined,
    },
    send: text => {
      const frame = JSON.parse(text) as readonly [number, string]
      waiting.get(frame[1])?.(frame)
    },
  }
  const session = hub.admit(handshakeFor('CP1', { authorization }), socket)
  return {
    call: (id: string, action: string, payload: object): Promise<unknown> => {
      const text = JSON.stringify([2, id, action, payload])
      const answered = new Promise(resolve => waiting.set(id, resolve))
      session.receive(text, Buffer.byteLength(text))
      return answered
    },
    vanish: () => session.gone(1006, ''),
  }
}

const boot = { chargePointVendor: 'V', chargePointModel: 'M', chargePointSerialNumber: 'SN1' }
const stop = { transactionId: 7, meterStop: 9, timestamp: '2026-01-02T03:04:05Z' }

async function start(t: TestContext) {
  const keep = keepUntil(end => t.after(end))
  const rails = keep(await openRails({ env: { STATION_PASSWORD: password } }))
  return { keep, rails, dir: temporaryDirectory(t) }
}

test(
  'the stop of a station that never returns reaches the app once, and ends nothing of its session at another bridge',
  within,
  async t => {
    const { keep, rails, dir } = await start(t)
    const first = await openBridge(rails, dir, keep)
    const station = connect(first)
    await station.call('b', 'BootNotification', boot)
    await rails.kill('SIGKILL')
    assert.deepEqual(await station.call('s', 'StopTransaction', stop), [3, 's', {}])
    station.vanish()
    await first.close()

    await rails.restart()
    const other = await openBridge(rails, null, keep)
    await connect(other).call('b2', 'BootNotification', boot)
    const second = await openBridge(rails, dir, keep)
    const booked = await rails.waitFor(({ event }) => event === 'stop_transaction')
    while (second.meter.total('ocpp_outbox_total', { outcome: 'delivered' }) === 0) await sleep(20)
    const after = rails.ledger()
    assert.deepEqual(after.map(({ event }) => event), [
      ...['connected', 'subscribed', 'boot_notification'],
      ...['connected', 'subscribed', 'boot_notification'],
      'stop_transaction',
    ]) // prettier-ignore
    const { station: id, payload, attempt, storedAt } = booked as typeof booked & { readonly storedAt?: string }
    // An earlier process has stored it, and may have performed it.
    assert.deepEqual([id, payload, attempt], ['CP1', stop, 2])
    assert.ok(Math.abs(Date.parse(storedAt ?? '') - Date.now()) < within.timeout)
    const lines = second.log.lines.filter(({ message }) => message.startsWith('delivered the stored messages'))
    assert.deepEqual(lines.map(({ fields }) => fields), [{ station: 'CP1', messages: 1 }]) // prettier-ignore
  },
)
