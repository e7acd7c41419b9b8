/**
 * Which upgrades are accepted, on bare TCP sockets, with requests that no client library would send.
 */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { after, before, describe, test, type TestContext } from 'node:test'
import { ScriptedApp, type Received } from '../support/app.ts'
import { commandBroadcast, openBridge, streamOf, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { dial, frameOf, isUpgraded, opcodes, openPeer, protocol, upgradeHeaders } from '../support/peer.ts'
import { freePort } from '../support/ports.ts'

type Response = { readonly status: number; readonly head: string; readonly body: string }
type Env = { readonly url: string; readonly headers: Readonly<Record<string, string>> }
/** The app's view of a station at its first message. */
type Seen = { readonly sn: string; readonly env: Env }

const served = 'ocpp1.6, ocpp2.0.1, ocpp2.1'

let app: ScriptedApp
let bridge: Bridge
const subscriptions = new EventEmitter()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  app.always(reply)
  bridge = keep(await openBridge([`--rpc_host=${app.host}`]))
})

function reply({ method, message }: Received): object {
  const { command, identifier, env } = message as { command?: string; identifier?: string; env: Env }
  if (command === 'subscribe') {
    const { sn } = JSON.parse(identifier ?? '') as { sn: string }
    subscriptions.emit('subscription', { sn, env })
    return { status: 'SUCCESS', streams: [streamOf(sn)] }
  }
  return { status: 'SUCCESS', ...(method === 'Connect' && { identifiers: '{}' }) }
}

/** Sends a request, and one message after a successful upgrade. Resolves with the response. */
async function request(
  target: string,
  headers: readonly string[],
  message = '',
  port = bridge.port,
): Promise<Response> {
  const peer = await dial(port, [`GET ${target} HTTP/1.1`, `Host: csms.example:${port}`, ...headers])
  const { head, body } = peer
  if (isUpgraded(peer) && message !== '') {
    peer.write(frameOf(message))
    await peer.next(opcodes.text)
  }
  peer.socket.destroy()
  return { status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]), head, body }
}

function upgrade(target: string, headers: readonly string[] = [protocol('ocpp1.6')], port?: number): Promise<Response> {
  return request(target, [...upgradeHeaders, ...headers], '[2,"1","Heartbeat",{}]', port)
}

/** Upgrades; resolves with the station that the app sees. */
async function seenAfter(
  target: string,
  headers?: readonly string[],
  port?: number,
): Promise<Seen & { readonly head: string }> {
  const seen = once(subscriptions, 'subscription') as Promise<[Seen]>
  const { status, head, body } = await upgrade(target, headers, port)
  assert.equal(status, 101, head + body)
  const [{ sn, env }] = await seen
  return { sn, env, head }
}

/** [request target, the station's id, the path in the app's url if it differs, because] */
const identities: readonly (readonly [string, string, string, string])[] = [
  ['/ocpp/CP01', 'CP01', '/ocpp/CP01', 'an ordinary one'],
  ['/ocpp/RDAM%20123', 'RDAM 123', '/ocpp/RDAM%20123', 'percent-encoded (1.6 §3.1.1)'],
  ['/ocpp/RDAM%7C123', 'RDAM|123', '/ocpp/RDAM%7C123', 'percent-encoded (2.1 Part 4 §3.1.1)'],
  ['/ocpp/RDAM|123', 'RDAM|123', '/ocpp/RDAM%7C123', 'not encoded, which is no URI: the app gets one'],
  ['/ocpp/%F0%9F%94%8C', '🔌', '/ocpp/%F0%9F%94%8C', 'more than the basic plane'],
  ['/ocpp/cp01', 'cp01', '/ocpp/cp01', 'case is kept'],
  ['/ocpp/a%2Fb', 'a/b', '/ocpp/a%2Fb', '%2F stays part of the identity'],
  ['/ocpp/..%2Fx', '../x', '/ocpp/..%2Fx', 'and is no path'],
  ['/ocpp/a%252Fb', 'a%2Fb', '/ocpp/a%252Fb', 'decoded once'],
  ['/ocpp/a+b', 'a+b', '/ocpp/a+b', 'a plus is a plus in a path'],
  ['//ocpp/CP01', 'CP01', '/ocpp/CP01', 'a slash too many first'],
  ['/ocpp//CP01', 'CP01', '/ocpp/CP01', 'or between'],
  ['/ocpp/CP01/', 'CP01', '/ocpp/CP01', 'a trailing slash'],
  ['/ocpp/CP01//', 'CP01', '/ocpp/CP01', 'two'],
  ['/ocpp/CP01?token=a/b&x=1', 'CP01', '/ocpp/CP01?token=a/b&x=1', 'a query'],
  ['/ocpp/CP01/?x=1', 'CP01', '/ocpp/CP01?x=1', 'a query behind a trailing slash'],
  ['/ocpp/CP%3F01', 'CP?01', '/ocpp/CP%3F01', 'a question mark that begins no query'],
  [`/ocpp/${'%78'.repeat(255)}`, 'x'.repeat(255), `/ocpp/${'x'.repeat(255)}`, 'as long as may be, once decoded'],
  ['/ocpp/ocpp2.1', 'ocpp2.1', '/ocpp/ocpp2.1', 'a version where the identity stands is the identity'],
]

/** [request target, status, what the body says, because] */
const refusals: readonly (readonly [string, number, RegExp, string])[] = [
  ['/ocpp', 400, /contains no Charging Station identity/, 'no identity'],
  ['/ocpp/', 400, /contains no Charging Station identity/, 'none, with a slash'],
  ['/ocpp//', 400, /contains no Charging Station identity/, 'none, with two'],
  ['/ocpp?id=CP01', 400, /contains no Charging Station identity/, 'none but in the query'],
  ['/ocpp/CP01/CP02', 400, /more than one segment/, 'two segments'],
  ['/ocpp/v16/CP01', 400, /more than one segment/, 'a version in the path that is not in ocpp_path'],
  ['/ocpp/CP%zz', 400, /not percent-encoded UTF-8/, 'no percent-encoding'],
  ['/ocpp/CP%', 400, /not percent-encoded UTF-8/, 'a percent sign alone'],
  ['/ocpp/CP%2', 400, /not percent-encoded UTF-8/, 'half an escape'],
  ['/ocpp/%FF%FE', 400, /not percent-encoded UTF-8/, 'no UTF-8'],
  ['/ocpp/CP%0D%0AX:%20y', 400, /control characters/, 'line breaks'],
  ['/ocpp/CP%00', 400, /control characters/, 'NUL'],
  ['/ocpp/CP%7F', 400, /control characters/, 'DEL'],
  ['/ocpp/CP%C2%85', 400, /control characters/, 'one beyond ASCII'],
  ['/ocpp/CP\u0001', 400, /^Malformed HTTP request/, 'one that is not encoded, which is no HTTP'],
  ['/ocpp/K\u00f6ln', 400, /^Malformed HTTP request/, 'not encoded at all, which is no HTTP'],
  [`/ocpp/${'x'.repeat(256)}`, 400, /too long/, 'more than 255 bytes'],
  ['/CP01', 404, /Not found/, 'without the prefix'],
  ['/', 404, /Not found/, 'the root'],
  ['//evil.example/CP01', 404, /Not found/, 'a host behind two slashes'],
  ['/ocppx/CP01', 404, /Not found/, 'more than the prefix'],
  ['/OCPP/CP01', 404, /Not found/, 'the prefix in capitals'],
  ['/cable', 404, /Not found/, "Action Cable's own path"],
  ['/health', 404, /Not found/, 'the path of health checks'],
  ['http://csms.example', 404, /Not found/, 'an absolute request line without a path'],
  ['http://csms.example/ocpp/', 400, /contains no Charging Station identity/, 'or without an identity'],
  ['http://csms.example/cable/CP01', 404, /Not found/, 'an absolute request line of another path'],
  ['http://user@csms.example/ocpp/CP01', 400, /invalid host/, 'one with user information (RFC 9110 §4.2.4)'],
  ['/ocpp/CP01#x', 400, /fragment/, 'a fragment'],
  ['/ocpp/..', 400, /dot segment/, 'a dot segment'],
  ['/ocpp/CP01/%2e%2E', 400, /dot segment/, 'an encoded one'],
]

describe('identities', { timeout: 60_000 }, () => {
  for (const [target, id, path, because] of identities) {
    test(`${target}: ${because}`, async () => {
      const { sn, env } = await seenAfter(target)
      assert.equal(sn, id)
      assert.equal(env.url, `http://csms.example:${bridge.port}${path}`)
    })
  }

  test('the host of an absolute request line wins over the Host header (RFC 9112 §3.2.2)', async () => {
    const target = 'http://other.example:8080/ocpp/CP01?x=1'
    const { sn, env } = await seenAfter(target)
    assert.deepEqual([sn, env.url], ['CP01', target])
  })

  for (const [target, status, body, because] of refusals) {
    test(`${target.slice(0, 40)} is refused: ${because}`, async () => {
      const response = await upgrade(target)
      assert.equal(response.status, status, response.body)
      assert.match(response.body, body)
      assert.match(response.head, /^connection: close$/im)
      assert.doesNotMatch(response.head, /^upgrade:/im)
    })
  }

  test('an identity of 49 characters is refused in 2.x and served in 1.6', async () => {
    const target = `/ocpp/${'x'.repeat(49)}`
    for (const name of ['ocpp2.0.1', 'ocpp2.1']) {
      assert.equal((await upgrade(target, [protocol(name)])).status, 400, name)
    }
    await seenAfter(target, [protocol('ocpp1.6')])
    await seenAfter(`/ocpp/${'x'.repeat(48)}`, [protocol('ocpp2.1')])
  })
})

/** [offered subprotocols, the negotiated one, because] */
const agreements: readonly (readonly [readonly string[], string, string])[] = [
  [['ocpp1.6'], 'ocpp1.6', 'the one'],
  [['ocpp2.1'], 'ocpp2.1', 'another'],
  [['ocpp2.0.1, ocpp1.6'], 'ocpp2.0.1', "the first of the station's list"],
  [['ocpp1.6,ocpp2.1'], 'ocpp1.6', 'also where it is the older one'],
  [['ocpp0.1, ocpp1.6'], 'ocpp1.6', 'the first that is served (TC_B_58)'],
  [['OCPP1.6'], 'OCPP1.6', 'in its own spelling'],
  [['soap, Ocpp2.0.1, ocpp1.6'], 'Ocpp2.0.1', 'also of one among others'],
  [['  ocpp1.6 ,, '], 'ocpp1.6', 'blanks and empty places'],
  [['ocpp2.1,ocpp2.1'], 'ocpp2.1', 'one twice'],
  [['ocpp9', 'ocpp2.0.1'], 'ocpp2.0.1', 'in two headers'],
]

describe('subprotocols', { timeout: 60_000 }, () => {
  for (const [offered, agreed, because] of agreements) {
    test(`${offered.join(' and ')}: ${because}`, async () => {
      const { head } = await seenAfter('/ocpp/CP01', offered.map(protocol))
      assert.deepEqual(head.match(/^sec-websocket-protocol: .*$/gim), [protocol(agreed)])
      assert.doesNotMatch(head, /^sec-websocket-extensions:/im)
    })
  }

  for (const [headers, body, because] of [
    [[], `No Sec-WebSocket-Protocol offered; supported: ${served}\n`, 'no header'],
    [[protocol('')], `No Sec-WebSocket-Protocol offered; supported: ${served}\n`, 'an empty one'],
    [
      [protocol('ocpp1.5, soap')],
      `None of the offered subprotocols is supported; supported: ${served}\n`,
      'none in common',
    ],
    [[protocol(' , ')], `No Sec-WebSocket-Protocol offered; supported: ${served}\n`, 'one of commas'],
    [
      [protocol('ocpp1.6 ocpp2.1')],
      `None of the offered subprotocols is supported; supported: ${served}\n`,
      'no commas',
    ],
    [
      [protocol('"ocpp1.6"')],
      `None of the offered subprotocols is supported; supported: ${served}\n`,
      'a quoted string',
    ],
    [[protocol('ocpp1.60')], `None of the offered subprotocols is supported; supported: ${served}\n`, 'not quite one'],
    [
      [protocol('actioncable-v1-json')],
      `None of the offered subprotocols is supported; supported: ${served}\n`,
      'a browser',
    ],
  ] as const) {
    test(`an upgrade without a common subprotocol is refused with the served ones: ${because}`, async () => {
      const response = await upgrade('/ocpp/CP01', headers)
      assert.deepEqual([response.status, response.body], [400, body])
    })
  }

  test('a bad path is reported before a bad subprotocol', async () => {
    assert.equal((await upgrade('/nowhere/CP01', [])).status, 404)
  })
})

describe('with other options', { timeout: 60_000 }, () => {
  /** Starts a bridge with other options. */
  async function openOther(t: TestContext, ...flags: string[]): Promise<number> {
    const other = await openBridge([`--rpc_host=${app.host}`, ...flags])
    t.after(() => other.close())
    return other.port
  }

  test('the subprotocol decides the version, whatever ocpp_path contains (2.1 Part 4 §3.1.2)', async t => {
    const port = await openOther(t, '--ocpp_path=/ocpp/1.6')
    const { sn, head } = await seenAfter('/ocpp/1.6/CP01', [protocol('ocpp2.0.1')], port)
    assert.equal(sn, 'CP01')
    assert.deepEqual(head.match(/^sec-websocket-protocol: .*$/gim), [protocol('ocpp2.0.1')])
    const { status, body } = await upgrade('/ocpp/2.1/CP01', [protocol('ocpp2.1')], port)
    assert.deepEqual([status, body], [404, 'Not found\n'])
    assert.equal((await upgrade('/ocpp/1.6/CP01', [], port)).status, 400, 'nor is it a default')
  })

  test('only the versions in ocpp_versions are negotiated and named', async t => {
    const port = await openOther(t, '--ocpp_versions=2.0.1')
    const { head } = await seenAfter('/ocpp/CP01', [protocol('ocpp2.1, ocpp1.6, ocpp2.0.1')], port)
    assert.deepEqual(head.match(/^sec-websocket-protocol: .*$/gim), [protocol('ocpp2.0.1')])
    const { status, body } = await upgrade('/ocpp/CP01', [protocol('ocpp2.1, ocpp1.6')], port)
    assert.deepEqual([status, body], [400, 'None of the offered subprotocols is supported; supported: ocpp2.0.1\n'])
  })

  test('ocpp_default_version applies only to a station that offers no subprotocol', async t => {
    const port = await openOther(t, '--ocpp_default_version=1.6')
    for (const headers of [[], [protocol('')], [protocol(' , ')]]) {
      const { head } = await seenAfter('/ocpp/CP01', headers, port)
      assert.doesNotMatch(head, /^sec-websocket-protocol:/im)
    }
    const { head } = await seenAfter('/ocpp/CP01', [protocol('ocpp2.1')], port)
    assert.deepEqual(head.match(/^sec-websocket-protocol: .*$/gim), [protocol('ocpp2.1')])
    assert.equal((await upgrade('/ocpp/CP01', [protocol('soap')], port)).status, 400)
    assert.equal((await upgrade(`/ocpp/${'x'.repeat(255)}`, [], port)).status, 101, "the default's own limit")
  })
})

describe('the env of a station', { timeout: 60_000 }, () => {
  test("has the forwarded headers as sent and the peer's address, and no others", async () => {
    const { env } = await seenAfter('/ocpp/AL1000', [
      protocol('ocpp9 ,OCPP1.6'),
      'Authorization: Basic QUwxMDAwOgABAgMEBQYH////////////////',
      'COOKIE: a=1; b=2',
      'Origin: https://browser.example',
      'X-Forwarded-For: 203.0.113.7',
      'Remote_Addr: 203.0.113.8',
      'X-Request-ID: mine',
      'X-OCPP-Version: 2.1',
    ])
    assert.deepEqual(env.headers, {
      REMOTE_ADDR: '127.0.0.1',
      authorization: 'Basic QUwxMDAwOgABAgMEBQYH////////////////',
      cookie: 'a=1; b=2',
      'sec-websocket-protocol': 'ocpp9 ,OCPP1.6',
      'x-ocpp-version': '1.6',
    })
  })

  test('has nothing that the station did not send but the version', async () => {
    const { env } = await seenAfter('/ocpp/CP01')
    assert.deepEqual(env.headers, {
      REMOTE_ADDR: '127.0.0.1',
      'sec-websocket-protocol': 'ocpp1.6',
      'x-ocpp-version': '1.6',
    })
  })

  test("has the bridge's own session id in every call, whatever the station sends", async () => {
    const known = app.received.all.length
    await seenAfter('/ocpp/CP01', [protocol('ocpp1.6'), 'X-Request-ID: mine'])
    await seenAfter('/ocpp/CP02', [protocol('ocpp1.6'), 'X-Request-ID: mine'])
    const connects = app.received.all.slice(known).filter(({ method }) => method === 'Connect')
    const sids = connects.map(({ metadata }) => metadata['sid'])
    assert.equal(new Set(sids).size, 2)
    assert.ok(!sids.includes('mine'))
  })
})

describe('a request that is not an upgrade', { timeout: 60_000 }, () => {
  test("gets 426 when it is for a station's path", async () => {
    const response = await request('/ocpp/CP01', [])
    assert.equal(response.status, 426)
    assert.match(response.head, /^upgrade: websocket$/im)
    assert.match(response.body, /WebSocket/)
  })

  test('gets 404 when its path is unknown, with and without a query', async () => {
    for (const target of ['/', '/nothing', '/nothing?x=/ocpp/CP01', '/metrics', '/_broadcast']) {
      assert.equal((await request(target, [])).status, 404, target)
    }
  })

  test('gets 200 on the health path, with and without a query', async () => {
    for (const target of ['/health', '/health?from=balancer']) {
      const { status, body } = await request(target, [])
      assert.equal(status, 200)
      assert.match(body, /stayin' alive/)
    }
  })

  test('is refused when its WebSocket version is unknown, and the bridge lives on', async () => {
    const [, connection, , key] = upgradeHeaders
    const headers = ['Upgrade: websocket', connection, 'Sec-WebSocket-Version: 12', key, protocol('ocpp1.6')]
    const unknown = await request('/ocpp/CP01', headers)
    assert.ok(unknown.status >= 400 && unknown.status < 500, unknown.head)
    assert.equal((await bridge.get('/health')).status, 200)
  })

  test('is refused when it is not HTTP, and the bridge lives on', async () => {
    const { head } = await dial(bridge.port, ['[2,"1","Heartbeat",{}]'])
    assert.match(head, /^HTTP\/1.1 400 /)
    assert.equal((await bridge.get('/health')).status, 200)
  })
})

describe('an upgrade to another protocol', { timeout: 60_000 }, () => {
  const key = 'k'
  const authorization = `Authorization: Bearer ${key}`
  const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAAAAIAAAAB']
  let other: Bridge
  let port: number

  before(async () => {
    port = await freePort()
    const flags = [`--port=${port}`, `--http_broadcast_port=${port}`, `--broadcast_key=${key}`, '--ocpp_sn=station_id']
    other = await openBridge([`--rpc_host=${app.host}`, ...flags])
  })
  after(() => other.close())

  /** [request line, headers, status, body, because] */
  const requests: readonly (readonly [string, readonly string[], number, RegExp, string])[] = [
    ['GET /health', [], 200, /stayin' alive/, 'the health check of a Java program'],
    ['GET /ready', [], 200, /"ready":true/, 'its readiness check'],
    ['GET http://csms.example/health', [], 200, /stayin' alive/, 'in absolute form'],
    ['GET /ocpp/CP01', [protocol('ocpp1.6')], 426, /WebSocket/, "a station's path is for WebSockets only"],
    ['GET /nothing', [], 404, /Not found/, 'an unknown path'],
    ['POST /_broadcast', [], 401, /^$/, 'a broadcast without the key'],
  ]
  for (const [line, headers, status, body, because] of requests) {
    test(`${line} is served as a plain request, ${status}: ${because}`, async () => {
      const response = await dial(port, [`${line} HTTP/1.1`, 'Host: csms.example', ...h2c, ...headers])
      assert.equal(Number(/^HTTP\/1.1 (\d+)/.exec(response.head)?.[1]), status, response.head)
      assert.match(response.body, body)
    })
  }

  test('POST /_broadcast is served with its body and reaches the station', async () => {
    const station = await openPeer(port, '/ocpp/CP01', [protocol('ocpp1.6')])
    station.write(frameOf('[2,"1","Heartbeat",{}]'))
    await station.next(opcodes.text)
    const command = { command: 'Reset', id: 'r1', payload: { type: 'Soft' } }
    const body = Buffer.from(JSON.stringify(commandBroadcast('CP01', command)))
    const head = ['POST /_broadcast HTTP/1.1', 'Host: csms.example', ...h2c, authorization]
    const response = await dial(port, [...head, `Content-Length: ${body.length}`], body)
    assert.match(response.head, /^HTTP\/1.1 201 /)
    assert.match((await station.next(opcodes.text)).payload.toString(), /^\[2,"r1","Reset"/)
    station.socket.destroy()
  })

  test('a WebSocket is served when the request offers other protocols too', async () => {
    const headers = [...upgradeHeaders.slice(1), 'Upgrade: h2c, websocket', protocol('ocpp1.6')]
    assert.equal((await request('/ocpp/CP01', headers, '', port)).status, 101)
  })

  test('the log has no line about a refused station', async () => {
    await other.close()
    assert.deepEqual(
      other.log().filter(({ msg }) => msg.includes('refused')),
      [],
    )
  })
})
