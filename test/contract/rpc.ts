/**
 * What every `Transport` does, over gRPC and HTTP: what the app receives of a call, and how its reply is read. The
 * replies in the words of `rpc.proto` are the real gem's, where the gem has such a reply.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
  type Identifier,
} from '../../src/cable/rpc.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import type { AppScript, Received, RpcMethod } from '../support/app.ts'
import type { Mailbox } from '../support/fakes.ts'

/** The app at the other end; a test scripts it. */
interface AppOfContract {
  readonly received: Mailbox<Received>
  once(script: AppScript): void
}

type Bench = { readonly rpc: Transport; readonly app: AppOfContract }

const never = new AbortController().signal
const identifier = '{"channel":"OCPPChannel","sn":"SN1"}' as Identifier
const other = '{"channel":"OCPPChannel","sn":"SN2"}' as Identifier
const connectionIdentifiers = '{"station_id":"CP01","role":"ev"}'
const bare = { url: 'http://csms.example:8080/ocpp/CP01?x=1', headers: {}, cstate: {}, istate: {} }
const env = {
  url: 'http://csms.example:8080/ocpp/CP%2F01?x=1',
  headers: { REMOTE_ADDR: '203.0.113.7', authorization: 'Basic Q1AwMTpz', 'sec-websocket-protocol': 'ocpp1.6' },
  cstate: { _s_: '{"user":1}', last_seen: '{"t":1}' },
  istate: { boots: '1', $w: 'stream', $p: '' },
}
const envAtEnd = { ...env, istate: { [identifier]: '{"boots":"7"}' } }
const mebibyte = 2 ** 20

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const connectCall: ConnectCall = { sid: 's1', env: bare }
const commandCall: CommandCall = {
  sid: 's1',
  env: bare,
  command: 'message',
  identifier,
  connectionIdentifiers,
  data: '{}',
}
const disconnectCall: DisconnectCall = { sid: 's1', env: bare, connectionIdentifiers, subscriptions: [identifier] }

type Send = (rpc: Transport) => Promise<unknown>
const connect: Send = rpc => rpc.connect(connectCall, never)
const command =
  (call: Partial<CommandCall> = {}): Send =>
  rpc =>
    rpc.command({ ...commandCall, ...call }, never)
const disconnect: Send = rpc => rpc.disconnect(disconnectCall, never)

const sent = { identifier, connection_identifiers: connectionIdentifiers, data: '', env: bare }

/** [call, its method, what the app receives, because] */
const requests: readonly (readonly [Send, RpcMethod, object, string])[] = [
  [
    rpc => rpc.connect({ sid: 's1', env: { ...env, cstate: {}, istate: {} } }, never),
    'Connect',
    { env: { ...env, cstate: {}, istate: {} } },
    'Connect is the env alone',
  ],
  [connect, 'Connect', { env: bare }, 'no headers'],
  [
    command({ env, command: 'subscribe', data: '' }),
    'Command',
    { ...sent, command: 'subscribe', env },
    'subscribe has no data; states go with their reserved keys and empty values',
  ],
  [
    command({ data: '{"action":"boot_notification","id":"42"}' }),
    'Command',
    { ...sent, command: 'message', data: '{"action":"boot_notification","id":"42"}' },
    'a perform has its data as text',
  ],
  [
    command({ command: 'unsubscribe', data: '' }),
    'Command',
    { ...sent, command: 'unsubscribe' },
    'unsubscribe has no data',
  ],
  [
    command({ data: '{"idTag":"Zoë ⚡ 電気 \\u0000"}', env: { ...bare, headers: { cookie: 'größe=1' } } }),
    'Command',
    {
      ...sent,
      command: 'message',
      data: '{"idTag":"Zoë ⚡ 電気 \\u0000"}',
      env: { ...bare, headers: { cookie: 'größe=1' } },
    },
    'text beyond ASCII',
  ],
  [
    command({ data: `{"data":"${'x'.repeat(mebibyte)}"}` }),
    'Command',
    { ...sent, command: 'message', data: `{"data":"${'x'.repeat(mebibyte)}"}` },
    '1 MiB',
  ],
  [
    rpc => rpc.disconnect({ ...disconnectCall, env: envAtEnd, subscriptions: [identifier, other] }, never),
    'Disconnect',
    { identifiers: connectionIdentifiers, subscriptions: [identifier, other], env: envAtEnd },
    'Disconnect has all subscriptions, and the states of each as a JSON text',
  ],
]

const welcome = '{"type":"welcome","sid":"s1"}'
const unauthorized = '{"type":"disconnect","reason":"unauthorized","reconnect":false}'

const connectReplies: readonly (readonly [object, ConnectReply, string])[] = [
  [
    {
      status: 'SUCCESS',
      identifiers: connectionIdentifiers,
      transmissions: [welcome],
      env: { cstate: { _s_: '{}', last_seen: '{"t":1}' } },
    },
    {
      status: 'success',
      connectionIdentifiers,
      transmissions: [welcome],
      cstate: { _s_: '{}', last_seen: '{"t":1}' },
    },
    'the identifiers are kept as they are, and the changed states',
  ],
  [
    { status: 'SUCCESS', identifiers: '{}' },
    { status: 'success', connectionIdentifiers: '{}', transmissions: [], cstate: {} },
    'no env is no change',
  ],
  [
    { status: 'FAILURE', transmissions: [unauthorized] },
    { status: 'failure', transmissions: [unauthorized] },
    'a refusal says why',
  ],
]

/** The reply of an app that accepts, with nothing in it. */
export const nothing: CommandReply = {
  status: 'success',
  disconnect: false,
  stopAllStreams: false,
  stoppedStreams: [],
  streams: [],
  transmissions: [],
  cstate: {},
  istate: {},
}

/** [the app's reply, what it reads as, because] */
const commandReplies: readonly (readonly [object, object, string])[] = [
  [{ status: 'SUCCESS', env: {} }, {}, 'an action that transmits nothing'],
  [{ status: 'SUCCESS' }, {}, 'no env is no change'],
  [{ status: 'FAILURE', env: {} }, { status: 'failure' }, 'halted by before_command'],
  [
    { status: 'FAILURE', stop_streams: true, streams: ['ocpp:ev/x'], transmissions: ['no'] },
    { status: 'failure', stopAllStreams: true, streams: ['ocpp:ev/x'], transmissions: ['no'] },
    'a rejected subscription tells its streams all the same',
  ],
  [
    { status: 'SUCCESS', streams: ['ocpp:ev/SN1', 'all_stations'], transmissions: ['1', '2', '3', '2'] },
    { streams: ['ocpp:ev/SN1', 'all_stations'], transmissions: ['1', '2', '3', '2'] },
    'streams and transmissions in their order',
  ],
  [{ status: 'SUCCESS', stopped_streams: ['a', 'b'] }, { stoppedStreams: ['a', 'b'] }, 'some streams stopped'],
  [
    { status: 'SUCCESS', stop_streams: true, streams: ['new'] },
    { stopAllStreams: true, streams: ['new'] },
    'all stopped',
  ],
  [{ status: 'SUCCESS', disconnect: true }, { disconnect: true }, 'the app closes the connection'],
  [
    { status: 'SUCCESS', env: { cstate: { _s_: '', a: 'null' }, istate: { $p: '{}', tag: '""', gone: '' } } },
    { cstate: { _s_: '', a: 'null' }, istate: { $p: '{}', tag: '""', gone: '' } },
    'an empty value is kept: it deletes its key',
  ],
  [
    { status: 'SUCCESS', transmissions: ['{"t":"Zoë ⚡ 電気"}'], streams: ['größe'] },
    { transmissions: ['{"t":"Zoë ⚡ 電気"}'], streams: ['größe'] },
    'text beyond ASCII',
  ],
  [{ status: 'SUCCESS', transmissions: ['x'.repeat(mebibyte)] }, { transmissions: ['x'.repeat(mebibyte)] }, '1 MiB'],
]

const sends = { connect, subscribe: command({ command: 'subscribe' }), perform: command(), disconnect } as const

/** @param open  a `Transport` and the app behind it, both closed when the test ends */
export function testRpcContract(name: string, open: (t: TestContext) => Promise<Bench>): void {
  for (const [send, method, message, because] of requests) {
    test(`${name}: the app receives ${method}: ${because}`, async t => {
      const { rpc, app } = await open(t)
      await send(rpc)
      assert.deepEqual(app.received.all, [{ method, metadata: { sid: 's1', protov: 'v1' }, message }])
    })
  }

  test(`${name}: the app receives the headers of the span that a call belongs to`, async t => {
    const { rpc, app } = await open(t)
    await rpc.command({ ...commandCall, trace: { traceparent } }, never)
    assert.deepEqual(app.received.all[0]?.metadata, { sid: 's1', protov: 'v1', traceparent })
  })

  for (const [reply, expected, because] of connectReplies) {
    test(`${name}: connect reads the reply: ${because}`, async t => {
      const { rpc, app } = await open(t)
      app.once(() => reply)
      assert.deepEqual({ ...((await connect(rpc)) as object) }, expected)
    })
  }

  for (const [reply, expected, because] of commandReplies) {
    test(`${name}: command reads the reply: ${because}`, async t => {
      const { rpc, app } = await open(t)
      app.once(() => reply)
      assert.deepEqual(await command()(rpc), { ...nothing, ...expected })
    })
  }

  test(`${name}: disconnect resolves when the app replies FAILURE`, async t => {
    const { rpc, app } = await open(t)
    app.once(() => ({ status: 'FAILURE' }))
    assert.equal(await disconnect(rpc), undefined)
  })

  for (const [which, send] of Object.entries(sends)) {
    test(`${name}: ${which} rejects with the app's message when the app replies ERROR`, async t => {
      const { rpc, app } = await open(t)
      app.once(() => ({ status: 'ERROR', error_msg: 'boom ⚡', transmissions: ['lost'] }))
      await assert.rejects(send(rpc), rpcError('application', 'ran', /^boom ⚡$/))
    })

    test(`${name}: ${which} rejects when the reply has no status`, async t => {
      const { rpc, app } = await open(t)
      app.once(() => ({}))
      await assert.rejects(send(rpc), rpcError('application', 'ran', /./))
    })
  }

  test(`${name}: calls of two sessions get their own replies when they run at once`, async t => {
    const { rpc, app } = await open(t)
    const byIdentifier = ({ message }: Received) => ({ status: 'SUCCESS', transmissions: [message['identifier']] })
    app.once(byIdentifier)
    app.once(byIdentifier)
    const replies = await Promise.all([
      rpc.command({ ...commandCall, sid: 'one', identifier }, never),
      rpc.command({ ...commandCall, sid: 'two', identifier: other }, never),
    ])
    assert.deepEqual(
      replies.map(reply => reply.transmissions),
      [[identifier], [other]],
    )
    assert.deepEqual(
      new Map(app.received.all.map(({ metadata, message }) => [metadata['sid'], message['identifier']])),
      new Map([
        ['one', identifier],
        ['two', other],
      ]),
    )
  })

  test(`${name}: a call is not sent when its signal is aborted`, async t => {
    const { rpc, app } = await open(t)
    await assert.rejects(rpc.command(commandCall, AbortSignal.abort()), rpcError('aborted', 'notRun', /./))
    await connect(rpc)
    assert.deepEqual(
      app.received.all.map(({ method }) => method),
      ['Connect'],
    )
  })

  test(`${name}: a call on the wire gets its reply when its signal is aborted`, async t => {
    const { rpc, app } = await open(t)
    const session = new AbortController()
    app.once(() => {
      session.abort()
      return { status: 'SUCCESS', transmissions: ['late'] }
    })
    assert.deepEqual((await rpc.command(commandCall, session.signal)).transmissions, ['late'])
  })

  test(`${name}: abort fails every call on the wire, which may have run, and every later one, which is not sent`, async t => {
    const { rpc, app } = await open(t)
    for (let calls = 0; calls < 2; calls++) app.once(() => new Promise(() => undefined))
    const calls = [connect(rpc), command()(rpc)]
    const failures = calls.map(call => assert.rejects(call, rpcError('aborted', 'unknown', /./)))
    while (app.received.all.length < 2) await new Promise(setImmediate)
    rpc.abort()
    await Promise.all(failures)
    for (const send of Object.values(sends)) await assert.rejects(send(rpc), rpcError('aborted', 'notRun', /./))
    assert.equal(app.received.all.length, 2)
  })
}

/** A check for `assert.rejects`. */
export function rpcError(
  code: RpcError['code'],
  outcome: RpcError['outcome'],
  message: RegExp,
): (error: unknown) => true {
  return error => {
    assert.ok(error instanceof RpcError, String(error))
    assert.deepEqual([error.code, error.outcome], [code, outcome], error.message)
    assert.match(error.message, message)
    return true
  }
}

/** The same for a local error of the bridge. */
export function localRpcError(...expected: Parameters<typeof rpcError>): (error: unknown) => true {
  const isExpected = rpcError(...expected)
  return error => {
    assert.ok(error instanceof RpcError && error.isLocal, 'it is local')
    return isExpected(error)
  }
}
