/**
 * Everything that a bridge writes at its most talkative, searched for every secret that it was given: keys, cards of
 * drivers, certificates, headers and tokens.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { cableApp, GrpcStatus, ScriptedApp } from '../support/app.ts'
import { adminClient } from '../support/admin.ts'
import { commandBroadcast, openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { openRawStation } from '../support/station.ts'

const secrets = {
  password: 'geheim-Password-0815',
  cookie: 'geheim-Cookie-0815',
  tag: 'geheim-Tag-0815',
  parentTag: 'geheim-Parent-0815',
  embedded: 'geheim-Embedded-0815',
  brokenTag: 'geheim-Broken-0815',
  key: 'geheim-Key-0815',
  certificate: 'geheim-Certificate-0815',
  csr: 'geheim-Csr-0815',
  ftp: 'geheim-Ftp-0815',
  hexKey: 'ffee0123'.repeat(4),
  basicAuth: 'geheim-BasicAuthPassword',
  broadcastKey: 'geheim-BroadcastKey-0815',
  adminToken: 'geheim-AdminToken-0815',
  readToken: 'geheim-ReadToken-0815',
} as const
const basic = Buffer.from(`CP1:${secrets.password}`).toString('base64')

type Command = {
  readonly of: 'CP1' | 'CP2'
  readonly command: string
  readonly payload: object
  /** In the CALLERROR that answers it. */
  readonly description?: string
  readonly details?: object
}

const keyOf = (value: string) => ({ of: 'CP1', command: 'ChangeConfiguration', payload: { key: 'AuthorizationKey', value } }) as const // prettier-ignore
const attribute = {
  attributeValue: secrets.basicAuth,
  component: { name: 'SecurityCtrlr' },
  variable: { name: 'BasicAuthPassword' },
}
/** Some stations repeat the key that they refuse. */
const commands: readonly Command[] = [
  { ...keyOf(secrets.key), details: { value: secrets.key } },
  { ...keyOf(secrets.hexKey), description: `AuthorizationKey ${secrets.hexKey} has a bad length` },
  { ...keyOf(secrets.hexKey), description: `${secrets.hexKey}?`, details: { given: [secrets.hexKey] } },
  {
    ...{ of: 'CP2', command: 'SetVariables', payload: { setVariableData: [attribute] } },
    description: `BasicAuthPassword ${secrets.basicAuth} has a bad length`,
    details: attribute,
  },
  { of: 'CP1', command: 'CertificateSigned', payload: { certificateChain: secrets.certificate } },
  { of: 'CP1', command: 'GetDiagnostics', payload: { location: `ftp://user:${secrets.ftp}@files.example/` } },
  { of: 'CP1', command: 'RemoteStartTransaction', payload: { idTag: secrets.tag } },
]

/** All that the bridge has written and answered. */
async function everything(t: TestContext, ...flags: string[]): Promise<string> {
  const keep = keepUntil(close => t.after(close))
  const app = keep(await ScriptedApp.start())
  app.always(
    cableApp(({ command }) => {
      if (command === 'StopTransaction') throw new Error('undefined method `charge!`')
      if (command === 'StatusNotification') throw new GrpcStatus(status.UNKNOWN, `no key: Basic ${basic} (CP1:${secrets.password})`) // prettier-ignore
      return command === 'Authorize' ? { idTagInfo: { status: 'Blocked', parentIdTag: secrets.parentTag } } : { status: 'Accepted' } // prettier-ignore
    }),
  )
  const adminPort = await freePort()
  const bridge = keep(
    await openBridge([
      ...[
        `--rpc_host=${app.host}`,
        '--debug',
        '--ocpp_history=100',
        '--headers=authorization,cookie',
        '--ocpp_sn=station_id',
        `--admin_port=${adminPort}`,
      ],
      ...[`--admin_token=${secrets.adminToken}`, `--admin_read_token=${secrets.readToken}`],
      ...[`--broadcast_key=${secrets.broadcastKey}`, ...flags],
    ]),
  )
  const admin = adminClient(`http://127.0.0.1:${adminPort}`, secrets.adminToken)
  const tail = new AbortController()
  const streams = ['messages', 'events'].map(async name => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/v1/${name}`, {
      headers: { authorization: `Bearer ${secrets.adminToken}` },
      signal: tail.signal,
    })
    return response.text()
  })
  const headers = { authorization: `Basic ${basic}`, cookie: `session=${secrets.cookie}` }
  const station = keep(await openRawStation(bridge.url, 'CP1', { headers }))
  await station.call('a', 'Authorize', `{"idTag":"${secrets.tag}"}`)
  await station.call('b', 'DataTransfer', JSON.stringify({ vendorId: 'v', data: JSON.stringify({ idTag: secrets.embedded, csr: secrets.csr }) })) // prettier-ignore
  station.send(
    `[2,"c","StopTransaction",{"idTag":"${secrets.brokenTag}","meterStop":7,"transactionId":1,"timestamp":}]`,
  )
  await station.message(/^\[4,"c"/)
  station.send(`[2,"d","Authorize",{"idTag":"${secrets.tag}"`)
  await station.message(/^\[4,"d"/)
  await station.call('e', 'StatusNotification', '{"connectorId":1,"errorCode":"NoError","status":"Available"}')
  const station2 = keep(await openRawStation(bridge.url, 'CP2', { version: 'ocpp2.0.1', headers }))
  await station2.call('a', 'Heartbeat', '{}')
  for (const [
    n,
    { of, command, payload, description = 'no', details = { idTag: secrets.tag } },
  ] of commands.entries()) {
    const peer = of === 'CP1' ? station : station2
    const broadcast = commandBroadcast(of, { command, id: `r${n}`, payload })
    const posted = await fetch(bridge.httpBroadcastUrl, {
      ...{
        method: 'POST',
        body: JSON.stringify(broadcast),
        headers: { authorization: `Bearer ${secrets.broadcastKey}` },
      },
    })
    assert.equal(posted.status, 201)
    await peer.message(new RegExp(`^\\[2,"r${n}"`))
    peer.send(JSON.stringify([4, `r${n}`, 'InternalError', description, details]))
  }
  for (const wrong of [{}, { authorization: 'Bearer wrong' }])
    await fetch(bridge.httpBroadcastUrl, { method: 'POST', body: '{', headers: wrong })
  await bridge.metricReaches('ocpp_command_total', commands.length)
  const answers: string[] = []
  for (const path of [
    '/v1/stations',
    '/v1/stations/CP1',
    '/v1/stations/CP1/messages',
    '/v1/stations/CP2',
    '/v1/stations/CP2/messages',
    '/v1/stats',
    '/v1/config',
    '/v1/outbox',
  ])
    answers.push(JSON.stringify(await admin.get(path)))
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.metricsPort}/metrics`)).text()
  station.send('[')
  const exit = await bridge.kill('SIGTERM')
  assert.equal(exit.code, 0)
  tail.abort()
  return [bridge.process.output, ...answers, metrics, ...(await Promise.all(streams))].join('\n')
}

test('no secret is in the log at debug, the answers and streams of the admin API, the history or the metrics', async t => {
  const text = await everything(t)
  assert.match(text, /AuthorizationKey/, 'the frames are there')
  assert.match(text, /no key: Basic \*\*\* \(\*\*\*\)/, "and the app's error")
  assert.match(
    text,
    /"action":"SetVariables","outcome":"error","code":null,"reason":"InternalError: \*\*\*"/,
    'and the events',
  )
  assert.match(
    text,
    /"action":"ChangeConfiguration","code":"InternalError","description":"\*\*\*"/,
    'and the last errors',
  )
  for (const [name, secret] of Object.entries({ ...secrets, basic })) {
    for (const form of [
      secret,
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ])
      assert.equal(
        text.includes(form),
        false,
        `${name}: ${text.slice(Math.max(0, text.indexOf(form) - 300), text.indexOf(form) + 50)}`,
      )
  }
})

test('log_sensitive shows cards, keys and certificates, and no header and no token', async t => {
  const text = await everything(t, '--log_sensitive')
  const { tag, key, certificate, brokenTag, password, cookie, broadcastKey, adminToken, readToken } = secrets
  for (const secret of [tag, key, certificate, brokenTag]) assert.ok(text.includes(secret), secret)
  for (const secret of [basic, password, cookie, broadcastKey, adminToken, readToken])
    assert.equal(text.includes(secret), false, secret)
})
