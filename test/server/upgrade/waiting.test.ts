/**
 * Upgrades that wait for a decision, on real sockets: who leaves meanwhile is noticed, and what a station sends is
 * kept.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { maxEarlyBytes } from '../../../src/server/upgrade/waiting.ts'
import type { Reception } from '../../../src/server/upgrade/upgrade.ts'
import type { Sockets } from '../../../src/server/websocket/ports.ts'
import { makeKeyPair, tlsOf } from '../../support/certificate.ts'
import { keepUntil } from '../../support/keep.ts'
import { frameOf, protocol, upgradeHeaders } from '../../support/peer.ts'
import { openPort, openTestSockets, portHost as host } from '../../support/stations-port.ts'

const lines = ['GET /ocpp/CP1 HTTP/1.1', 'Host: csms.example', ...upgradeHeaders, protocol('ocpp1.6')]
const upgrade = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
const frame = frameOf('early')
/** What a socket is read at a time. */
const readBytes = 64 * 1024

type Moment = { readonly happened: Promise<void>; readonly happen: () => void }

function moment(): Moment {
  let happen: () => void = () => undefined
  const happened = new Promise<void>(resolve => (happen = resolve))
  return { happened, happen }
}

/** [what the station sends while it waits, because] */
const leaving: readonly (readonly [readonly Buffer[], string])[] = [
  [[upgrade], 'it has sent nothing more'],
  [[Buffer.concat([upgrade, frame])], 'a message came with its request'],
  [[upgrade, frame], 'a message came after its request'],
]

for (const scheme of ['http', 'https'] as const)
  describe(`an upgrade that waits, over ${scheme}`, { timeout: 60_000 }, () => {
    async function open(t: TestContext, ask: NonNullable<Reception['ask']>, more: Partial<Reception> = {}) {
      const keep = keepUntil(end => t.after(end))
      const heads: number[] = []
      const sockets = openTestSockets(keep)
      const upgrading: Sockets['upgrade'] = (request, stream, head, ...rest) => {
        heads.push(head.length)
        sockets.upgrade(request, stream, head, ...rest)
      }
      const settings = { tls: scheme === 'https' ? tlsOf(await makeKeyPair()) : null }
      const { port } = await openPort(keep, { ask, ...more }, settings, { ...sockets, upgrade: upgrading })
      const socket = scheme === 'http' ? connect(port, host) : connectTls({ port, host, rejectUnauthorized: false })
      t.after(() => socket.destroy())
      await once(socket, scheme === 'http' ? 'connect' : 'secureConnect')
      return { socket: socket.on('error', () => undefined).resume(), heads }
    }

    async function sendInTurn(socket: Socket, parts: readonly Buffer[]): Promise<void> {
      for (const part of parts) {
        socket.write(part)
        await new Promise(setImmediate)
      }
    }

    for (const [sends, because] of leaving)
      test(`is given up, and its descriptor freed, when its station ends the connection: ${because}`, async t => {
        const gone = moment()
        const { socket } = await open(t, async (_handshake, _authorization, signal) => {
          signal.addEventListener('abort', gone.happen)
          await gone.happened
          return { kind: 'admitted', connected: null }
        })
        await sendInTurn(socket, sends)
        socket.end()
        await Promise.all([gone.happened, once(socket, 'close')])
      })

    test('keeps what its station sends, in order, but reads little of it before the decision', async t => {
      const count = 200
      const asked = moment()
      const decided = moment()
      const heard = moment()
      const texts: string[] = []
      const receive = (text: string): void => {
        texts.push(text)
        if (texts.length === count) heard.happen()
      }
      const { socket, heads } = await open(
        t,
        async () => {
          asked.happen()
          await decided.happened
          return { kind: 'admitted', connected: null }
        },
        { admit: (_handshake, station) => (station.accept(), { receive, gone: () => undefined }) },
      )
      const expected = Array.from({ length: count }, (_, at) => `${at} ${'x'.repeat(1_000)}`)
      await sendInTurn(socket, [upgrade, ...expected.map(text => frameOf(text))])
      await asked.happened
      decided.happen()
      await heard.happened
      assert.deepEqual(texts, expected)
      assert.ok((heads[0] ?? 0) <= maxEarlyBytes + readBytes, `${heads[0]} bytes`)
    })
  })
