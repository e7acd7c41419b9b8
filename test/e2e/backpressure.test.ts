/**
 * One side sends more than the other takes: a station that does not read, a station that floods, an app that floods.
 * The bridge stops reading or refuses; it does not buffer without a limit.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { look, probed } from '../soak/probe.ts'
import { frameOf, opcodes, openPeer, type Peer } from '../support/peer.ts'
import { cableApp, ScriptedApp, type PerformData } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation, openStation } from '../support/station.ts'

const within = { timeout: 180_000 }
const mebibyte = 1024 * 1024

type Site = {
  readonly app: ScriptedApp
  readonly bridge: Bridge
  /** The outcomes of commands that the app has received. */
  readonly outcomes: PerformData[]
  /** Resolves when that many commands have ended and the app has received their outcomes. */
  readonly ended: (count: number) => Promise<void>
}

/** @param answer the app's Ack, perhaps later; `null` for none */
async function open(
  t: TestContext,
  answer: (data: PerformData) => object | null | Promise<object | null>,
  ...flags: string[]
): Promise<Site> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  const outcomes: PerformData[] = []
  const received = new EventEmitter()
  app.always(
    cableApp(data => {
      if (data.command !== 'Ack' && data.command !== 'Error') return answer(data)
      outcomes.push(data)
      received.emit('outcome')
      return null
    }),
  )
  const bridge = await openBridge([`--rpc_host=${app.host}`, ...flags], probed)
  t.after(() => bridge.close())
  const ended = async (count: number): Promise<void> => {
    await bridge.metricReaches('ocpp_command_total', count)
    while (outcomes.length < count) await once(received, 'outcome')
  }
  return { app, bridge, outcomes, ended }
}

const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'

/** A station on a bare TCP socket, accepted by the app. */
async function connectPeer(t: TestContext, bridge: Bridge, id: string): Promise<Peer> {
  const peer = await openPeer(bridge.port, `/ocpp/${id}`, ['Sec-WebSocket-Protocol: ocpp1.6'])
  t.after(() => peer.socket.destroy())
  peer.write(frameOf(`[2,"first","StatusNotification",${status}]`))
  assert.equal((await peer.next(opcodes.text)).payload.toString(), '[3,"first",{}]')
  return peer
}

async function broadcast(bridge: Bridge, ...commands: readonly object[]): Promise<void> {
  const response = await fetch(bridge.httpBroadcastUrl, { method: 'POST', body: JSON.stringify(commands) })
  assert.equal(response.status, 201)
}

/** The memory of the bridge after a collection: resident memory depends on when garbage is collected. */
async function memoryBytes(bridge: Bridge): Promise<number> {
  const { heap, external } = await look(bridge)
  return heap + external
}

function openLatch(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>(resolve => (open = resolve))
  return { opened, open }
}

/** The most that the kernel buffers for one connection that nobody reads, on both sides. */
function kernelBytes(): number {
  const most = (name: string): number =>
    Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2])
  return most('tcp_wmem') + most('tcp_rmem')
}

test(
  'a station that does not read is disconnected when too much waits for it, and each command has an outcome',
  within,
  async t => {
    const maxPending = 256 * 1024
    const flags = [`--ws_max_pending_size=${maxPending}`, '--ocpp_call_timeout=1s', '--ws_write_timeout=0']
    const { bridge, outcomes, ended } = await open(t, () => ({}), ...flags)
    const other = await openRawStation(bridge.url, 'reads')
    t.after(() => other.close())
    const peer = await connectPeer(t, bridge, 'slow')
    peer.socket.pause()
    // A broadcast is at most 1 MiB.
    const data = 'x'.repeat(mebibyte - 1024)
    let commands = 0
    // Each command ends before the next: by its timeout, or with the connection.
    while ((await bridge.metric('disconnected_slow_clients_total')) === 0) {
      const payload = { vendorId: 'V', data }
      await broadcast(bridge, commandBroadcast('slow', { command: 'DataTransfer', id: String(commands), payload }))
      await bridge.metricReaches('ocpp_command_total', ++commands)
    }
    const line = await bridge.logged(/station disconnected.*Reads too slowly|Reads too slowly.*station disconnected/)
    assert.deepEqual([line['station'], line['code'], line['reason']], ['slow', 1006, 'Reads too slowly'])
    const sent = await bridge.metric('data_sent_total')
    assert.ok(sent < kernelBytes() + maxPending + 2 * data.length, `${sent} bytes were buffered for it`)
    assert.equal(await other.call('1', 'StatusNotification', status), '[3,"1",{}]')
    await ended(commands)
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [...Array.from({ length: commands - 1 }, () => 'CallTimeout'), 'ConnectionClosed'],
    )
  },
)

test('a station that floods is slowed down by TCP while the app is busy, and then served in order', within, async t => {
  const app = openLatch()
  const answer = async ({ command }: PerformData): Promise<object> => {
    if (command === 'DataTransfer') await app.opened
    return command === 'DataTransfer' ? { status: 'Accepted' } : {}
  }
  const { bridge } = await open(t, answer, '--rpc_command_timeout=150s', '--limits_frame_rate=1000000')
  const other = await openRawStation(bridge.url, 'quiet')
  t.after(() => other.close())
  // The app is busy for less than 20 s: after that, the bridge answers what has waited without the app.
  const others = 10
  const serveOther = async (name: string): Promise<void> => {
    for (let at = 0; at < others; at++) {
      const id = `${name}${at}`
      assert.equal(await other.call(id, 'StatusNotification', status), `[3,"${id}",{}]`)
    }
  }
  await serveOther('warm')
  const peer = await connectPeer(t, bridge, 'flood')
  const before = { bytes: await memoryBytes(bridge), messages: await bridge.metric('client_msg_total') }

  const data = 'x'.repeat(64 * 1024)
  const count = Math.ceil(kernelBytes() / data.length) + 200
  for (let id = 0; id < count; id++) peer.write(frameOf(`[2,"${id}","DataTransfer",{"vendorId":"V","data":"${data}"}]`))
  await bridge.metricReaches('client_msg_total', before.messages + 16)
  await serveOther('meanwhile')
  const taken = (await bridge.metric('client_msg_total')) - before.messages - others
  assert.ok(taken < 64, `${taken} messages were read while the app had one`)
  assert.ok(peer.socket.writableLength > 0, 'the sender is blocked')
  const grown = (await memoryBytes(bridge)) - before.bytes
  assert.ok(grown < 16 * mebibyte, `memory grew by ${grown} bytes for the ${count * data.length} that were sent`)

  app.open()
  for (let id = 0; id < count; id++) {
    const { payload } = await peer.next(opcodes.text)
    assert.equal(payload.toString(), `[3,"${id}",{"status":"Accepted"}]`)
  }
  assert.equal(peer.socket.writableLength, 0)
})

test(
  'an app that floods a station gets one outcome for each command, and the station is served meanwhile',
  within,
  async t => {
    const { bridge, outcomes, ended } = await open(t, () => ({}), '--rpc_command_timeout=60s', '--ocpp_call_timeout=2m')
    const station = await openStation(bridge.url, 'CP1')
    t.after(() => station.close())
    let asked = 0
    const refused = openLatch()
    station.answers('ClearCache', async () => {
      asked++
      await refused.opened
      return { status: 'Accepted' }
    })
    await station.call('StatusNotification', JSON.parse(status) as Record<string, unknown>)
    const count = 10_000
    const before = await memoryBytes(bridge)
    const flood = Array.from({ length: count }, (_, id) =>
      commandBroadcast('CP1', { command: 'ClearCache', id: String(id), payload: {} }),
    )
    await broadcast(bridge, ...flood)
    await bridge.metricReaches('ocpp_command_total', count - 51)
    refused.open()
    await station.call('StatusNotification', JSON.parse(status) as Record<string, unknown>)
    assert.ok(outcomes.length < count, 'the CALL did not wait for all refusals')
    const grown = (await memoryBytes(bridge)) - before
    assert.ok(grown < 16 * mebibyte, `memory grew by ${grown} bytes`)
    await ended(count)

    const acks = outcomes.filter(({ command }) => command === 'Ack')
    const errors = outcomes.filter(({ command }) => command === 'Error')
    assert.equal(await bridge.metric('ocpp_dropped_total'), 0)
    assert.equal(outcomes.length, count)
    assert.equal(new Set(outcomes.map(({ id }) => id)).size, count, 'each command has one outcome')
    const first = Array.from({ length: 51 }, (_, id) => String(id))
    assert.deepEqual(
      acks.map(({ id }) => id),
      first,
      'the command on the wire and those in the queue',
    )
    assert.ok(
      errors.every(({ code }) => code === 'QueueFull'),
      'the others are refused',
    )
    assert.deepEqual(
      errors.map(({ id }) => Number(id)),
      Array.from({ length: count - 51 }, (_, at) => at + 51),
      'refusals are reported in order',
    )
    assert.equal(asked, 51)
    await broadcast(bridge, commandBroadcast('CP1', { command: 'ClearCache', id: 'after', payload: {} }))
    await ended(count + 1)
    assert.deepEqual([outcomes.at(-1)?.id, outcomes.at(-1)?.command], ['after', 'Ack'], 'the queue has room again')
  },
)

/** Padded, so that one read of the socket does not return all of them. */
const value = `{"connectorId":1,"transactionId":1,"meterValue":[]${' '.repeat(2_000)}}`
const ids = Array.from({ length: 150 }, (_, at) => `m${at}`)
const messages = ids.map(id => frameOf(`[2,"${id}","MeterValues",${value}]`))

/** An app that performs no MeterValues until its latch is opened. */
function busyApp() {
  const performed: string[] = []
  const { opened, open: free } = openLatch()
  const answer = async ({ command, id }: PerformData): Promise<object> => {
    if (command !== 'MeterValues') return {}
    await opened
    performed.push(id)
    return {}
  }
  return { answer, performed, free }
}

test('a ping behind 150 messages is answered while the app performs the first of them', within, async t => {
  const { answer, performed, free } = busyApp()
  const { bridge } = await open(t, answer, '--rpc_command_timeout=60s')
  const peer = await connectPeer(t, bridge, 'pours')
  peer.write(...messages, frameOf('', { opcode: opcodes.ping }))
  await peer.next(opcodes.pong)
  assert.deepEqual(performed, [])
  free()
  for (const id of ids) assert.equal((await peer.next(opcodes.text)).payload.toString(), `[3,"${id}",{}]`)
  assert.deepEqual(performed, ids)
})

test(
  'a close frame behind 150 messages is answered at once, and a full inbox at most is not performed',
  within,
  async t => {
    const { answer, performed, free } = busyApp()
    const { bridge } = await open(t, answer, '--rpc_command_timeout=60s')
    const peer = await connectPeer(t, bridge, 'leaves')
    peer.write(...messages, frameOf(Buffer.from([0x03, 0xe8]), { opcode: opcodes.close }))
    await peer.next(opcodes.close)
    assert.deepEqual(performed, [])
    free()
    const { code } = await bridge.logged(/"station":"leaves".*station disconnected/)
    assert.equal(code, 1000)
    assert.deepEqual(performed, ids.slice(0, performed.length))
    assert.ok(performed.length >= ids.length - 64, `${performed.length} were performed`)
  },
)
