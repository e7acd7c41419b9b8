/**
 * How the real gem reads the bridge's calls and the bridge the gem's replies, over gRPC and over HTTP. The app is
 * `app.rb`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandCall, CommandReply, Identifier, SessionEnv } from '../../src/cable/rpc.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import { nothing, rpcError } from './rpc.ts'

const never = new AbortController().signal
const identifier = '{"channel":"ContractChannel","sn":"SN1"}' as Identifier
const connectionIdentifiers = '{"station_id":"CP01","role":"ev"}'
const mebibyte = 2 ** 20

function envOf(stationId: string, states: Partial<SessionEnv> = {}): SessionEnv {
  const headers = { REMOTE_ADDR: '203.0.113.7', authorization: 'Basic Q1AwMTpz' }
  return { url: `http://csms.example:8080/ocpp/${stationId}?x=1`, headers, cstate: {}, istate: {}, ...states }
}

const base = { sid: 's1', env: envOf('CP01'), identifier, connectionIdentifiers, data: '' }
const subscribe = (sn: string): CommandCall => {
  const own = `{"channel":"ContractChannel","sn":"${sn}"}` as Identifier
  return { ...base, command: 'subscribe', identifier: own }
}
const perform = (data: object, states: Partial<SessionEnv> = {}): CommandCall => ({
  ...base,
  command: 'message',
  env: envOf('CP01', states),
  data: JSON.stringify(data),
})
const said = (message: object): string => JSON.stringify({ identifier, message })

const ack = { boots: 2, at: '2026-01-02T03:04:05.000Z', text: 'Zoë ⚡ 電気' }
const large = 'x'.repeat(mebibyte)

/** [call, how the reply differs from a plain success, because] */
const replies: readonly (readonly [CommandCall, Partial<CommandReply>, string])[] = [
  [
    subscribe('SN1'),
    {
      streams: ['contract:ev/SN1', 'all_stations'] as unknown as CommandReply['streams'],
      transmissions: [said({ sn: 'SN1' }), JSON.stringify({ identifier, type: 'confirm_subscription' })],
      istate: { boots: '0' },
    },
    'subscribed: what it says itself comes first',
  ],
  [
    subscribe('rejected'),
    {
      status: 'failure',
      stopAllStreams: true,
      streams: ['contract:ev/rejected'] as unknown as CommandReply['streams'],
      transmissions: [
        '{"identifier":"{\\"channel\\":\\"ContractChannel\\",\\"sn\\":\\"rejected\\"}","type":"reject_subscription"}',
      ],
    },
    'rejected, with streams all the same',
  ],
  [
    perform({ action: 'boot_notification', id: '42', text: ack.text }, { istate: { boots: '1' } }),
    { transmissions: [said({ command: 'Ack', id: '42', payload: ack })], istate: { boots: '2' } },
    'an Ack; the state it was given, changed; text beyond ASCII',
  ],
  [
    perform({ action: 'several' }),
    { transmissions: [0, 1, 2, 3, 4].map(number => said({ number })) },
    'transmissions in their order',
  ],
  [perform({ action: 'length', text: large }), { transmissions: [said({ length: mebibyte })] }, 'a call of 1 MiB'],
  [perform({ action: 'large', bytes: mebibyte }), { transmissions: [said({ text: large })] }, 'a reply of 1 MiB'],
  [perform({ action: 'silent' }), {}, 'an action that transmits nothing'],
  [perform({ action: 'undefined' }), {}, 'an action that is not there looks the same'],
  [perform({ action: 'forget' }, { istate: { boots: '1' } }), { istate: { boots: 'null' } }, 'nil is a value'],
  [
    perform({ action: 'see' }, { cstate: { last_seen: '{"t":0}' } }),
    { cstate: { last_seen: '{"t":1}' } },
    "the connection's state",
  ],
  [
    perform({ action: 'stop_one' }),
    { stoppedStreams: ['all_stations'] as unknown as CommandReply['streams'] },
    'one stream stopped',
  ],
  [
    perform({ action: 'stop_all' }),
    { stopAllStreams: true, streams: ['größe'] as unknown as CommandReply['streams'] },
    'all streams stopped, and then a new one',
  ],
  [
    perform({ action: 'close' }),
    {
      disconnect: true,
      stopAllStreams: true,
      transmissions: ['{"type":"disconnect","reason":"bye","reconnect":false}'],
    },
    'the app closes the connection',
  ],
  [{ ...base, command: 'unsubscribe' }, { stopAllStreams: true }, 'unsubscribed'],
]

/** @param open an `Rpc` to the app that all tests share; closed with the app */
export function testGemContract(name: string, open: () => Transport): void {
  test(`${name}: Connect gives the app the station's request`, async () => {
    assert.deepEqual(await open().connect({ sid: 's1', env: envOf('CP01') }, never), {
      status: 'success',
      connectionIdentifiers,
      transmissions: ['{"type":"welcome","sid":"s1"}'],
      cstate: {
        last_seen: '{"url":"http://csms.example/ocpp/CP01?x=1","ip":"203.0.113.7","authorization":"Basic Q1AwMTpz"}',
      },
    })
  })

  test(`${name}: Connect resolves with a failure when the app rejects the station`, async () => {
    assert.deepEqual(await open().connect({ sid: 's1', env: envOf('REFUSED') }, never), {
      status: 'failure',
      transmissions: ['{"type":"disconnect","reason":"unauthorized","reconnect":false}'],
    })
  })

  for (const [call, expected, because] of replies) {
    test(`${name}: Command gives the app's reply: ${because}`, async () => {
      assert.deepEqual(await open().command(call, never), { ...nothing, ...expected })
    })
  }

  test(`${name}: Command rejects with the app's message when the app raises`, async () => {
    const rpc = open()
    const connect = rpc.connect({ sid: 's1', env: envOf('RAISES') }, never)
    await assert.rejects(connect, rpcError('application', 'ran', /^boom in connect ⚡$/))
    await assert.rejects(rpc.command(subscribe('raises'), never), rpcError('application', 'ran', /^sub failed$/))
    const raising = rpc.command(perform({ action: 'raises' }), never)
    await assert.rejects(raising, rpcError('application', 'ran', /^boom ⚡$/))
  })

  test(`${name}: Disconnect gives each subscription its state, and then the connection its own`, async () => {
    const rpc = open()
    await rpc.command(perform({ action: 'tell' }), never)
    const env = envOf('CP01', { cstate: { last_seen: '{"t":1}' }, istate: { [identifier]: '{"boots":"7"}' } })
    const call = { sid: 's1', env, connectionIdentifiers, subscriptions: [identifier] }
    await rpc.disconnect(call, never)
    const { transmissions } = await rpc.command(perform({ action: 'tell' }), never)
    assert.deepEqual(transmissions, [
      said({
        told: [
          ['unsubscribed', 'SN1', 7],
          ['disconnect', 'CP01', { t: 1 }],
        ],
      }),
    ])
  })
}
