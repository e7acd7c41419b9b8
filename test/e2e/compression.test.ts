/**
 * permessage-deflate between stations and the built bridge: who gets it, and what happens to messages that inflate to
 * far more than their size.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { after, before, describe, test, type TestContext } from 'node:test'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { WebSocket } from 'ws'
import { allVersions } from '../ocpp/schemas.ts'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import {
  closeCode,
  compressedFrameOf,
  ended,
  frameOf,
  openPeer,
  opcodes,
  protocol,
  type Peer,
} from '../support/peer.ts'
import { openRawStation } from '../support/station.ts'

const MiB = 1024 * 1024
const offer = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits'
const large = JSON.stringify({ status: 'Accepted', data: 'a large answer, '.repeat(500) })

let app: ScriptedApp

before(async () => {
  app = await ScriptedApp.start()
  app.always(cableApp(({ id }) => `{"command":"Ack","id":${JSON.stringify(id)},"payload":${large}}`))
})

after(() => app.stop())

async function openPeerOf(t: TestContext, bridge: Bridge, version: string, id = 'CP1'): Promise<Peer> {
  const peer = await openPeer(bridge.port, `/ocpp/${id}`, [protocol(version), offer])
  t.after(() => peer.socket.destroy())
  return peer
}

/** [setting, the versions that are compressed, because] */
const settings: readonly (readonly [string, readonly string[], string])[] = [
  ['auto', ['ocpp2.0.1', 'ocpp2.1'], 'those that require it of a CSMS'],
  ['on', allVersions, 'all'],
  ['off', [], 'none'],
]
for (const [setting, compressed, because] of settings) {
  describe(`--ocpp_compression=${setting}`, { timeout: 60_000 }, () => {
    let bridge: Bridge

    before(async () => {
      bridge = await openBridge([`--rpc_host=${app.host}`, `--ocpp_compression=${setting}`])
    })

    after(() => bridge.close())

    for (const version of allVersions) {
      const isCompressed = compressed.includes(version)

      test(`${version} is ${isCompressed ? '' : 'not '}compressed in both directions: ${because}`, async t => {
        const peer = await openPeerOf(t, bridge, version)
        assert.equal(/^sec-websocket-extensions: permessage-deflate/im.test(peer.head), isCompressed, peer.head)
        const call = `[2,"1","DataTransfer",{"vendorId":"${'v'.repeat(200)}"}]`
        peer.write(isCompressed ? compressedFrameOf(call) : frameOf(call))
        const { compressed: wasCompressed, payload } = await peer.next(opcodes.text)
        assert.equal(wasCompressed, isCompressed)
        const text = isCompressed ? inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }) : payload
        assert.equal(text.toString(), `[3,"1",${large}]`)
        if (isCompressed) assert.ok(payload.length < large.length / 10, `${payload.length} bytes on the wire`)
      })

      test(`${version}: a client library reads what the bridge sends`, async t => {
        const ws = new WebSocket(`${bridge.url}/CP2`, [version], { perMessageDeflate: { threshold: 0 } })
        t.after(() => ws.terminate())
        await once(ws, 'open')
        assert.equal(ws.extensions, isCompressed ? 'permessage-deflate' : '')
        for (const id of ['1', '2']) {
          const answer = once(ws, 'message')
          ws.send(`[2,"${id}","DataTransfer",{"vendorId":"v"}]`)
          const [data] = (await answer) as [Buffer]
          assert.equal(data.toString(), `[3,"${id}",${large}]`)
        }
      })
    }
  })
}

/** A message of blanks, in parts that inflate independently. */
function blanks(partSize: number, parts: number): Buffer[] {
  const part = deflateRawSync(Buffer.alloc(partSize, ' '), { finishFlush: constants.Z_SYNC_FLUSH, level: 9 })
  return Array<Buffer>(parts).fill(part)
}

/** 1 GiB that is compressed to less than the limit of a message. */
const whole = [frameOf(Buffer.concat(blanks(16 * MiB, 64)), { compressed: true })]
/** The same amount in frames that are each within the limit. */
const fragments = blanks(MiB / 4, 4096).map((part, at, { length }) =>
  frameOf(part, {
    opcode: at === 0 ? opcodes.text : opcodes.continuation,
    compressed: at === 0,
    fin: at === length - 1,
  }),
)

/** [frames of one bomb, bombs at once, because] */
const bombs: readonly (readonly [readonly Buffer[], number, string])[] = [
  [whole, 1, 'one of 1 GiB'],
  [fragments, 1, 'one of 1 GiB, in fragments'],
  [whole, 20, 'twenty at once'],
  [fragments, 20, 'twenty in fragments'],
]

describe('a compressed message over a limit', { timeout: 120_000 }, () => {
  for (const [frames, count, because] of bombs) {
    test(`closes with 1009 and takes little memory: ${because}`, async t => {
      const [first = Buffer.alloc(0)] = frames
      assert.ok(first.length < MiB, 'or its size alone would be refused')
      const bridge = await openBridge([`--rpc_host=${app.host}`])
      t.after(() => bridge.close())
      const healthy = await openRawStation(bridge.url, 'HEALTHY', { version: 'ocpp2.1' })
      t.after(() => healthy.close())
      await healthy.call('0', 'Heartbeat')
      const peers = await Promise.all(
        Array.from({ length: count }, (_, at) => openPeerOf(t, bridge, 'ocpp2.1', `CP${at}`)),
      )
      const { rss } = memoryOf(bridge)
      const codes = peers.map(closeCode)
      for (const peer of peers) peer.write(...frames)
      await healthy.call('1', 'Heartbeat')
      assert.deepEqual(
        await Promise.all(codes),
        peers.map(() => 1009),
      )
      await Promise.all(peers.map(ended))
      await healthy.call('2', 'Heartbeat')
      const grown = memoryOf(bridge).peak - rss
      t.diagnostic(`${Math.round(grown / MiB)} MiB at the peak`)
      assert.ok(grown < 100 * MiB, `${Math.round(grown / MiB)} MiB more at the peak`)
      const { code, reason } = await bridge.logged(/station disconnected/)
      assert.deepEqual([code, reason], [1009, 'Max payload size exceeded'])
    })
  }

  test('closes with 1008 when many just within the limit come from a station that the app has not accepted', async t => {
    const bridge = await openBridge(['--rpc_host=127.0.0.1:1'])
    t.after(() => bridge.close())
    const limit = MiB / 16
    const calls = Array.from({ length: 60 }, (_, at) =>
      compressedFrameOf(`[2,"${at}","DataTransfer",{"vendorId":"v"}${' '.repeat(limit - 100)}]`),
    )
    const peers = await Promise.all(Array.from({ length: 20 }, (_, at) => openPeerOf(t, bridge, 'ocpp2.1', `CP${at}`)))
    const { rss } = memoryOf(bridge)
    const codes = peers.map(closeCode)
    for (const peer of peers) peer.write(...calls)
    assert.deepEqual(
      await Promise.all(codes),
      peers.map(() => 1008),
    )
    const grown = memoryOf(bridge).peak - rss
    t.diagnostic(`${Math.round(grown / MiB)} MiB at the peak`)
    assert.ok(grown < 50 * MiB, `${Math.round(grown / MiB)} MiB more at the peak, of 75 MiB sent`)
    assert.equal(
      (await bridge.logged(/station disconnected/))['reason'],
      'Too much data before the app accepted the station',
    )
  })

  test('closes with 1007 when it is not deflate data', async t => {
    const bridge = await openBridge([`--rpc_host=${app.host}`])
    t.after(() => bridge.close())
    const peer = await openPeerOf(t, bridge, 'ocpp2.1')
    peer.write(frameOf(Buffer.alloc(100, 0xff), { compressed: true }))
    assert.equal(await closeCode(peer), 1007)
    peer.socket.end()
    assert.equal((await bridge.logged(/station disconnected/))['code'], 1007)
  })

  test('closes with 1002 when compression was not negotiated', async t => {
    const bridge = await openBridge([`--rpc_host=${app.host}`])
    t.after(() => bridge.close())
    const peer = await openPeerOf(t, bridge, 'ocpp1.6')
    peer.write(compressedFrameOf('[2,"1","Heartbeat",{}]'))
    assert.equal(await closeCode(peer), 1002)
  })
})

/** Resident memory of the bridge in bytes: now, and at its peak. */
function memoryOf({ process: { pid } }: Bridge): { readonly rss: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1])
  return { rss: kib('VmRSS') * 1024, peak: kib('VmHWM') * 1024 }
}
