/**
 * A station that is alive stays connected, however little it sends; one that vanished is disconnected.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { cableApp, ScriptedApp, stationOf } from '../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { frameOf, openPeer, opcodes, protocol, said, type Peer } from '../support/peer.ts'
import { openProxy } from '../support/proxy.ts'
import { openProcess, run, standStill } from '../support/process.ts'

const pingMs = 200
/** The idle timeout of a station without a heartbeat interval. */
const untoldMs = 1_000
/** The heartbeat interval that a boot is told by default. */
const heartbeatMs = 1_000
/** The idle timeout of a station with that interval. */
const idleMs = 2.5 * heartbeatMs
/** A heartbeat interval that the app sets. */
const longHeartbeatMs = 4_000
/** This many pings take longer than one idle timeout. */
const manyPings = (2 * idleMs) / pingMs
const boot = '[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'

let app: ScriptedApp
let bridge: Bridge
/** The same with TLS, and its certificate. */
let tlsBridge: Bridge
let certificate: string
/** Emits a station's id when the app gets its Disconnect. */
const disconnects = new EventEmitter()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  const silent = cableApp(({ command, payload }) => {
    const isLong = command === 'BootNotification' && (payload as Record<string, unknown>)['chargePointModel'] === 'long'
    return isLong ? { status: 'Accepted', currentTime: '2026-01-01T00:00:00Z', interval: longHeartbeatMs / 1000 } : null
  })
  app.always(call => {
    if (call.method === 'Disconnect') disconnects.emit(stationOf(call))
    return silent(call)
  })
  const flags = [
    `--rpc_host=${app.host}`,
    `--ocpp_ping_interval=${pingMs}ms`,
    `--ocpp_idle_timeout=${untoldMs}ms`,
    `--ocpp_heartbeat_interval=${heartbeatMs}ms`,
  ]
  bridge = keep(await openBridge(flags))
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-liveness-'))
  const [cert, key] = [join(folder, 'bridge.crt'), join(folder, 'bridge.key')]
  const made = await run('openssl', [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=bridge', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-newkey', 'rsa:2048', '-keyout', key, '-out', cert],
  ])
  assert.equal(made.code, 0, made.stderr)
  tlsBridge = keep(await openBridge([...flags, `--ssl_cert=${cert}`, `--ssl_key=${key}`]))
  certificate = await readFile(cert, 'utf8')
  await rm(folder, { recursive: true })
})

// Runs once the bridges are closed: until then they send Disconnects.
after(() => {
  const ids = app.received.all.filter(({ method }) => method === 'Disconnect').map(stationOf)
  assert.deepEqual(ids.sort(), [...new Set(ids)], 'each station has gone once')
})

/** A station on a bare socket, after its boot. */
async function booted(t: TestContext, id: string, text = boot): Promise<Peer> {
  const peer = await openPeer(bridge.port, `/ocpp/${id}`, [protocol('ocpp1.6')])
  t.after(() => peer.socket.destroy())
  peer.write(frameOf(text))
  await said(peer)
  return peer
}

/** Resolves when the app gets the station's Disconnect, with the milliseconds that this took. */
async function givenUp(id: string, by = bridge): Promise<number> {
  const since = Date.now()
  const told = once(disconnects, id)
  const { code, reason } = await by.logged(new RegExp(`"station":"${id}".*station disconnected`))
  const tookMs = Date.now() - since
  assert.deepEqual([code, reason], [1006, 'Silent for too long'])
  await told
  return tookMs
}

describe('a station that vanished', { timeout: 60_000 }, () => {
  const assertTime = (t: TestContext, tookMs: number): void => {
    t.diagnostic(`found after ${tookMs} ms`)
    assert.ok(tookMs >= idleMs - pingMs, `given up after ${tookMs} ms, before its time`)
    assert.ok(tookMs < 5 * idleMs, `given up after ${tookMs} ms, long after its time`)
  }

  test('is disconnected when nothing closes its connection', async t => {
    const peer = await booted(t, 'GONE')
    peer.socket.pause() // from here on the socket is neither read nor written, and stays open
    assertTime(t, await givenUp('GONE'))
  })

  test('is disconnected behind TLS when nothing closes its connection', async t => {
    // The network swallows everything: no FIN, no close_notify, no RST arrives.
    const network = await openProxy(tlsBridge.port)
    t.after(() => network.close())
    const ws = new WebSocket(`wss://${network.host}/ocpp/TLS`, ['ocpp1.6'], { ca: certificate, autoPong: false })
    t.after(() => ws.terminate())
    const closed = once(ws, 'close')
    await once(ws, 'open')
    ws.send(boot)
    await once(ws, 'message')
    network.hold('up', 'down')
    assertTime(t, await givenUp('TLS', tlsBridge))
    assert.equal(await tlsBridge.metric('clients_num'), 0)
    network.release('down')
    assert.equal((await closed)[0], 1006)
  })

  test('is disconnected after three unanswered pings when it has answered one before', async t => {
    const peer = await booted(t, 'PONGED', boot.replace('"M"', '"long"'))
    await peer.next(opcodes.ping)
    peer.write(frameOf('', { opcode: opcodes.pong }))
    const tookMs = await givenUp('PONGED')
    t.diagnostic(`found after ${tookMs} ms`)
    assert.ok(tookMs >= 3 * pingMs && tookMs < longHeartbeatMs, `given up after ${tookMs} ms`)
  })

  test('is disconnected when its process is stopped', async t => {
    const client = openProcess(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { WebSocket } from 'ws'
       const ws = new WebSocket(${JSON.stringify(`${bridge.url}/STOPPED`)}, ['ocpp1.6'])
       ws.on('open', () => ws.send(${JSON.stringify(boot)}))
       ws.on('message', () => console.log('booted'))`,
    ])
    t.after(() => {
      client.signal('SIGKILL')
      return client.exited
    })
    await client.line(/booted/)
    await standStill(client)
    await givenUp('STOPPED')
  })
})

describe('a station that is alive', { timeout: 60_000 }, () => {
  /** What a station does again and again to stay connected, for longer than the idle timeout. */
  const lives: readonly (readonly [string, string, (peer: Peer) => Promise<void>])[] = [
    [
      'PONGS',
      'answers pings, and says nothing',
      async peer => {
        for (let pings = 0; pings < manyPings; pings++) {
          await peer.next(opcodes.ping)
          peer.write(frameOf('', { opcode: opcodes.pong }))
        }
      },
    ],
    [
      'SLOW',
      'is in the middle of a long message, a byte at a time',
      async peer => {
        const message = frameOf(`[2,"slow","Heartbeat",{}${' '.repeat(100)}]`)
        for (let at = 0; at < manyPings; at++) {
          await peer.next(opcodes.ping)
          peer.write(message.subarray(at, at + 1))
        }
        peer.write(message.subarray(manyPings))
        assert.match(await said(peer), /^\[3,"slow",/)
      },
    ],
  ]
  for (const [id, what, live] of lives) {
    test(`stays connected when it ${what}`, async t => {
      const peer = await booted(t, id)
      await live(peer)
      peer.write(frameOf('[2,"last","Heartbeat",{}]'))
      assert.match(await said(peer), /^\[3,"last",/)
    })
  }

  for (const [id, because, tell] of [
    ['LONG', 'by the answer to its boot', (t: TestContext) => booted(t, 'LONG', boot.replace('"M"', '"long"'))],
    [
      'CHANGED',
      'by a command that it accepted',
      async (t: TestContext) => {
        const peer = await booted(t, 'CHANGED')
        const value = String(longHeartbeatMs / 1000)
        const change = { command: 'ChangeConfiguration', id: 'c', payload: { key: 'HeartbeatInterval', value } }
        await bridge.broadcast(commandBroadcast('CHANGED', change))
        assert.match(await said(peer), /^\[2,"c","ChangeConfiguration",/)
        peer.write(frameOf('[3,"c",{"status":"Accepted"}]'))
        return peer
      },
    ],
  ] as const) {
    test(`stays connected without pongs for 2.5 heartbeat intervals when it was told its interval ${because}`, async t => {
      const peer = await tell(t)
      for (let silentMs = 0; silentMs < 2 * longHeartbeatMs; silentMs += pingMs) await peer.next(opcodes.ping)
      peer.write(frameOf('[2,"last","Heartbeat",{}]'))
      assert.match(await said(peer), /^\[3,"last",/)
      assert.equal(
        peer.received.some(({ opcode }) => opcode === opcodes.close),
        false,
        id,
      )
    })
  }

  test('stays connected when it sends nothing but pings', async t => {
    const ws = new WebSocket(`${bridge.url}/PINGS`, ['ocpp1.6'], { autoPong: false })
    t.after(() => ws.terminate())
    await once(ws, 'open')
    const pings = setInterval(() => ws.ping(), pingMs / 2)
    t.after(() => clearInterval(pings))
    for (let pongs = 0; pongs < 2 * manyPings; pongs++) await once(ws, 'pong')
    const answer = once(ws, 'message')
    ws.send('[2,"last","Heartbeat",{}]')
    assert.match(String((await answer)[0]), /^\[3,"last",/)
  })
})
