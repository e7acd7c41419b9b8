/**
 * Whoever sends more than the other side takes: a station that does not read, one that floods, an app that floods. The
 * program holds back or says no; it does not keep.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { frameOf, opcodes, openPeer, type Peer } from '../support/peer.ts'
import { cableApp, ScriptedApp, type PerformData } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { openRawStation, openStation } from '../support/station.ts'

/** No test waits for ever for what does not come. */
const within = { timeout: 180_000 }
const mebibyte = 1024 * 1024

type Site = {
  readonly app: ScriptedApp
  readonly bridge: Bridge
  /** What was performed of the outcomes of commands, and settles when they are so many. */
  readonly outcomes: PerformData[]
  readonly ended: (count: number) => Promise<void>
}

/** @param answer the app's Ack, which may be long in coming; `null`: none */
async function open(
  t: TestContext,
  answer: (data: PerformData) => object | null | Promise<object | null>,
  ...flags: string[]
): Promise<Site> {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  const outcomes: PerformData[] = []
  const told = new EventEmitter()
  app.always(
    cableApp(data => {
      if (data.command !== 'Ack' && data.command !== 'Error') return answer(data)
      outcomes.push(data)
      told.emit('outcome')
      return null
    }),
  )
  const bridge = await openBridge([`--rpc_host=${app.host}`, ...flags])
  t.after(() => bridge.close())
  const ended = async (count: number): Promise<void> => {
    await bridge.metricReaches('ocpp_command_total', count)
    while (outcomes.length < count) await once(told, 'outcome')
  }
  return { app, bridge, outcomes, ended }
}

const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'

/** A bare TCP socket that the app knows as a station. */
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

function residentBytes({ process: { pid } }: Bridge): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** How much the kernel takes at most for one connection that nobody reads: the sender's buffer, and the receiver's. */
function kernelBytes(): number {
  const most = (name: string): number =>
    Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim().split(/\s+/)[2])
  return most('tcp_wmem') + most('tcp_rmem')
}

test(
  'a station that does not read is closed when too much waits for it, and each command is accounted for',
  within,
  async t => {
    const maxPending = 256 * 1024
    const flags = [`--ws_max_pending_size=${maxPending}`, '--ocpp_call_timeout=1s']
    const { bridge, outcomes, ended } = await open(t, () => ({}), ...flags)
    const other = await openRawStation(bridge.url, 'reads')
    t.after(() => other.close())
    const peer = await connectPeer(t, bridge, 'slow')
    peer.socket.pause()
    const data = 'x'.repeat(4 * mebibyte)
    let commands = 0
    // Each ends before the next: by its timeout, or with the connection.
    while ((await bridge.metric('disconnected_slow_clients_total')) === 0) {
      const payload = { vendorId: 'V', data }
      await broadcast(bridge, commandBroadcast('slow', { command: 'DataTransfer', id: String(commands), payload }))
      await bridge.metricReaches('ocpp_command_total', ++commands)
    }
    const line = await bridge.logged(/station disconnected.*Reads too slowly|Reads too slowly.*station disconnected/)
    assert.deepEqual([line['station'], line['code'], line['reason']], ['slow', 1006, 'Reads too slowly'])
    const sent = await bridge.metric('data_sent_total')
    assert.ok(sent < kernelBytes() + maxPending + 2 * data.length, `${sent} bytes were kept for it`)
    assert.equal(await other.call('1', 'StatusNotification', status), '[3,"1",{}]')
    await ended(commands)
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [...Array.from({ length: commands - 1 }, () => 'CallTimeout'), 'ConnectionClosed'],
    )
  },
)

test(
  'a station that floods is held back by TCP, not kept; when the app is free, it is served, in order',
  within,
  async t => {
    let free: () => void = () => undefined
    const isFree = new Promise<void>(resolve => (free = resolve))
    const answer = async ({ command }: PerformData): Promise<object> => {
      if (command === 'DataTransfer') await isFree
      return command === 'DataTransfer' ? { status: 'Accepted' } : {}
    }
    const { bridge } = await open(t, answer, '--rpc_command_timeout=150s')
    const other = await openRawStation(bridge.url, 'quiet')
    t.after(() => other.close())
    const serveOther = async (name: string): Promise<void> => {
      for (let at = 0; at < 200; at++) {
        const id = `${name}${at}`
        assert.equal(await other.call(id, 'StatusNotification', status), `[3,"${id}",{}]`)
      }
    }
    await serveOther('warm')
    const peer = await connectPeer(t, bridge, 'flood')
    const before = { resident: residentBytes(bridge), messages: await bridge.metric('client_msg_total') }

    const data = 'x'.repeat(64 * 1024)
    const count = 2_000
    for (let id = 0; id < count; id++)
      peer.write(frameOf(`[2,"${id}","DataTransfer",{"vendorId":"V","data":"${data}"}]`))
    await bridge.metricReaches('client_msg_total', before.messages + 16)
    await serveOther('meanwhile')
    const taken = (await bridge.metric('client_msg_total')) - before.messages - 200
    assert.ok(taken < 64, `${taken} messages were read, of which the app has one`)
    assert.ok(peer.socket.writableLength > 0, 'the sender is stuck')
    const grown = residentBytes(bridge) - before.resident
    assert.ok(grown < 48 * mebibyte, `${grown} bytes more than before, of the ${count * data.length} that were sent`)

    free()
    for (let id = 0; id < count; id++) {
      const { payload } = await peer.next(opcodes.text)
      assert.equal(payload.toString(), `[3,"${id}",{"status":"Accepted"}]`)
    }
    assert.equal(peer.socket.writableLength, 0)
  },
)

test(
  'an app that floods one station: each command has one end at the app, and the station is served meanwhile',
  within,
  async t => {
    const { bridge, outcomes, ended } = await open(t, () => ({}))
    const station = await openStation(bridge.url, 'CP1')
    t.after(() => station.close())
    let asked = 0
    station.answers('ClearCache', () => {
      asked++
      return { status: 'Accepted' }
    })
    await station.call('StatusNotification', JSON.parse(status) as Record<string, unknown>)
    const count = 10_000
    const before = residentBytes(bridge)
    const flood = Array.from({ length: count }, (_, id) =>
      commandBroadcast('CP1', { command: 'ClearCache', id: String(id), payload: {} }),
    )
    await broadcast(bridge, ...flood)
    await bridge.metricReaches('ocpp_command_total', count - 51)
    await station.call('StatusNotification', JSON.parse(status) as Record<string, unknown>)
    assert.ok(outcomes.length < count, 'its CALL did not wait for all refusals')
    await ended(count)

    const acks = outcomes.filter(({ command }) => command === 'Ack')
    const errors = outcomes.filter(({ command }) => command === 'Error')
    assert.equal(await bridge.metric('ocpp_dropped_total'), 0)
    assert.equal(outcomes.length, count)
    assert.equal(new Set(outcomes.map(({ id }) => id)).size, count, 'each ends once')
    const first = Array.from({ length: 51 }, (_, id) => String(id))
    assert.deepEqual(
      acks.map(({ id }) => id),
      first,
      'the one on the wire and those in line',
    )
    assert.ok(
      errors.every(({ code }) => code === 'QueueFull'),
      'the rest is refused',
    )
    assert.deepEqual(
      errors.map(({ id }) => Number(id)),
      Array.from({ length: count - 51 }, (_, at) => at + 51),
      'in their order',
    )
    assert.equal(asked, 51)
    const grown = residentBytes(bridge) - before
    assert.ok(grown < 64 * mebibyte, `${grown} bytes more than before`)
    await broadcast(bridge, commandBroadcast('CP1', { command: 'ClearCache', id: 'after', payload: {} }))
    await ended(count + 1)
    assert.deepEqual([outcomes.at(-1)?.id, outcomes.at(-1)?.command], ['after', 'Ack'], 'there is room again')
  },
)

test(
  '150 messages at once to a slow app: a ping is answered at once, and each message in its turn',
  within,
  async t => {
    const performMs = 20
    let performed = 0
    const { bridge } = await open(t, async ({ command }) => {
      if (command !== 'MeterValues') return {}
      await sleep(performMs)
      performed++
      return {}
    })
    const peer = await connectPeer(t, bridge, 'pours')
    // So that they do not all come with one read of the socket.
    const value = `{"connectorId":1,"transactionId":1,"meterValue":[]${' '.repeat(2_000)}}`
    const ids = Array.from({ length: 150 }, (_, at) => `m${at}`)
    peer.write(...ids.map(id => frameOf(`[2,"${id}","MeterValues",${value}]`)), frameOf('', { opcode: opcodes.ping }))
    await peer.next(opcodes.pong)
    assert.ok(performed < 64, `the pong came after ${performed} of the messages`)
    for (const id of ids) assert.equal((await peer.next(opcodes.text)).payload.toString(), `[3,"${id}",{}]`)
    assert.equal(performed, ids.length)
  },
)

test(
  '150 messages and a close frame to a slow app: no fewer are performed than with the close frame unread',
  within,
  async t => {
    const performed: string[] = []
    const { bridge } = await open(t, async data => {
      if (data.command !== 'MeterValues') return {}
      await sleep(5)
      performed.push(data.id)
      return {}
    })
    const peer = await connectPeer(t, bridge, 'leaves')
    const value = `{"connectorId":1,"transactionId":1,"meterValue":[]${' '.repeat(2_000)}}`
    const ids = Array.from({ length: 150 }, (_, at) => `m${at}`)
    peer.write(...ids.map(id => frameOf(`[2,"${id}","MeterValues",${value}]`)))
    peer.write(frameOf(Buffer.from([0x03, 0xe8]), { opcode: opcodes.close }))
    await peer.next(opcodes.close)
    assert.ok(performed.length < 64, 'it has its answer at once')
    const { code } = await bridge.logged(/"station":"leaves".*station disconnected/)
    assert.equal(code, 1000)
    assert.deepEqual(performed, ids.slice(0, performed.length))
    assert.ok(performed.length >= ids.length - 64, `${performed.length} are performed, a full inbox less at most`)
  },
)
