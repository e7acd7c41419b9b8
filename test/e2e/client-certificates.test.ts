/**
 * Security profile 3 with certificates that openssl has made, and an independent client (`ocpp-rpc`): who is let in,
 * who is refused before the 101 and why, what the app is told, and the revocation list.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openCa, type Ca, type Files } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { run } from '../support/process.ts'
import { openStation, type StationOptions } from '../support/station.ts'

const keep = keepUntil(after)
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-mtls-'))
const subject = '/CN=CP1/O=Operator'
let ca: Ca
let server: Files
let app: ScriptedApp
let required: Bridge
let optional: Bridge
const certificates: Record<string, Files> = {}

before(async () => {
  ca = await openCa(join(folder, 'ca'), 'Stations')
  const [other, forged] = [
    await openCa(join(folder, 'other'), 'Others'),
    await openCa(join(folder, 'forged'), 'Stations'),
  ]
  server = await ca.issue('server', { subject: '/CN=csms', san: 'IP:127.0.0.1', usage: 'serverAuth' })
  certificates['good'] = await ca.issue('good', { subject })
  certificates['revoked'] = await ca.issue('revoked', { subject })
  certificates['expired'] = await ca.issue('expired', { subject, from: '20200101000000Z', until: '20210101000000Z' })
  certificates['early'] = await ca.issue('early', { subject, from: '20400101000000Z', until: '20410101000000Z' })
  certificates['server'] = await ca.issue('as-server', { subject, usage: 'serverAuth' })
  certificates['other station'] = await ca.issue('cp2', { subject: '/CN=CP2/O=Operator' })
  certificates['other operator'] = await ca.issue('operator', { subject: '/CN=CP1/O=Other' })
  certificates['two names'] = await ca.issue('two', { subject: '/CN=CP1/CN=CP2/O=Operator' })
  certificates['other CA'] = await other.issue('other', { subject })
  certificates['forged CA'] = await forged.issue('forged', { subject })
  certificates['self-signed'] = await openCa(join(folder, 'self'), 'CP1')
  await ca.revoke(certificates['revoked'])
  const crl = await ca.crl()
  app = keep(await ScriptedApp.start())
  const flags = [
    ...[
      `--ssl_cert=${server.cert}`,
      `--ssl_key=${server.key}`,
      `--ssl_client_ca=${ca.cert}`,
      `--ssl_client_crl=${crl}`,
    ],
    ...[
      `--rpc_host=${app.host}`,
      '--ocpp_operator=Operator',
      '--headers=cookie,x-ssl-client-subject,x_ssl_client_serial',
    ],
  ]
  const bridges = await Promise.all([openBridge(flags), openBridge([...flags, '--ssl_client_verify=optional'])])
  ;[required, optional] = bridges
  bridges.forEach(keep)
})

after(() => rmSync(folder, { recursive: true }))

function optionsFor(name: string | null): StationOptions {
  const files = name === null ? undefined : certificates[name]
  const ofCa = { ca: readFileSync(ca.cert, 'utf8') }
  return files === undefined
    ? ofCa
    : { ...ofCa, cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
}

const invalid = (code: string): string => `The client certificate is not valid: ${code}`
const refusals: readonly (readonly [certificate: string | null, problem: string])[] = [
  ['revoked', invalid('CERT_REVOKED')],
  ['expired', invalid('CERT_HAS_EXPIRED')],
  ['early', invalid('CERT_NOT_YET_VALID')],
  ['server', invalid('INVALID_PURPOSE')],
  ['other CA', invalid('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
  ['forged CA', invalid('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
  // The last fault that OpenSSL finds: its CA, which is itself, has no revocation list.
  ['self-signed', invalid('UNABLE_TO_GET_CRL')],
  ['other station', 'The client certificate is that of another station'],
  ['other operator', 'The client certificate is that of another operator'],
  ['two names', 'The client certificate has no CN'],
  [null, 'A client certificate is required here'],
]
for (const [at, [certificate, problem]] of refusals.entries()) {
  // A problem is logged once for each path.
  const id = certificate === 'other operator' ? 'CP1' : `CP1-${at}`
  test(`a station with ${certificate ?? 'no'} certificate gets 403 before the 101, with a line: ${problem}`, async () => {
    const from = required.process.lines.length
    const options = { ...optionsFor(certificate), password: 'open sesame' }
    await assert.rejects(openStation(required.url, id, options), { code: 403 })
    const line = await required.process.line(/a station was refused/, from)
    const { path, status, problem: logged } = JSON.parse(line) as Record<string, unknown>
    assert.deepEqual([path, status, logged], [`/ocpp/${id}`, 403, problem])
    assert.deepEqual(app.received.all, [])
  })
}

for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const) {
  test(`a ${version} station with a valid certificate is served, and the app is told of the certificate`, async t => {
    const station = await openStation(required.url, 'CP1', { ...optionsFor('good'), version })
    t.after(() => station.close())
    const from = app.received.all.length
    const connect = () => app.received.all.slice(from).find(({ method }) => method === 'Connect')
    while (connect() === undefined) await station.call('Heartbeat')
    const { env } = connect()?.message as { env: { headers: Record<string, string> } }
    const told = Object.entries(env.headers).filter(([name]) => /ssl/.test(name))
    const pem = await run('openssl', [
      'x509',
      '-in',
      certificates['good']?.cert ?? '',
      '-noout',
      '-serial',
      '-fingerprint',
      '-sha256',
    ])
    const [, serial, fingerprint] = /serial=(\S+)\n.*=(\S+)/.exec(pem.stdout) ?? []
    assert.deepEqual(Object.fromEntries(told), {
      'x-ssl-client-subject': 'O=Operator,CN=CP1',
      'x-ssl-client-serial': serial,
      'x-ssl-client-issuer': 'CN=Stations',
      'x-ssl-client-fingerprint': fingerprint,
    })
  })
}

test('without a certificate, Basic credentials do where certificates are optional, and nothing else does', async t => {
  const station = await openStation(optional.url, 'CP1', { ...optionsFor(null), password: 'open sesame' })
  t.after(() => station.close())
  await assert.rejects(openStation(optional.url, 'CP2', optionsFor(null)), { code: 401 })
  await assert.rejects(openStation(optional.url, 'CP1', { ...optionsFor('expired'), password: 'x' }), { code: 403 })
  const other = await openStation(optional.url, 'CP2', optionsFor('other station'))
  t.after(() => other.close())
})

test('a station with the certificate that the app accepted may compress a large first message; another certificate may not', async t => {
  const own = await ScriptedApp.start()
  t.after(() => own.stop())
  own.always(cableApp(() => null))
  const tls = [`--ssl_cert=${server.cert}`, `--ssl_key=${server.key}`, `--ssl_client_ca=${ca.cert}`]
  const bridge = await openBridge([...tls, `--rpc_host=${own.host}`])
  t.after(() => bridge.close())
  const renewed = await ca.issue('renewed', { subject })
  const renewedOptions = { cert: readFileSync(renewed.cert, 'utf8'), key: readFileSync(renewed.key, 'utf8') }
  const large = { vendorId: 'Vendor', data: 'x'.repeat(300_000) }
  const isAccepted = () => own.received.all.some(({ method }) => method === 'Connect')

  const first = await openStation(bridge.url, 'CP1', { ...optionsFor('good'), version: 'ocpp2.0.1' })
  while (!isAccepted()) await first.call('Heartbeat')
  await first.close()
  const other = await openStation(bridge.url, 'CP1', {
    ...optionsFor('good'),
    ...renewedOptions,
    version: 'ocpp2.0.1',
  })
  await assert.rejects(other.call('DataTransfer', large))
  await other.close()
  const second = await openStation(bridge.url, 'CP1', { ...optionsFor('good'), version: 'ocpp2.0.1' })
  await second.call('DataTransfer', large)
  await second.close()
  assert.equal(await bridge.metric('ocpp_limit_total'), 1)
})

test('an expired revocation list refuses every station, with a warning at the start and a metric, until it is renewed', async t => {
  const crl = await ca.crl('expired')
  const flags = [`--ssl_client_ca=${ca.cert}`, `--ssl_client_crl=${crl}`, `--rpc_host=${app.host}`]
  const bridge = await openBridge([`--ssl_cert=${server.cert}`, `--ssl_key=${server.key}`, ...flags])
  t.after(() => bridge.close())
  const { file, until } = await bridge.logged(/a revocation list has expired/)
  assert.deepEqual([file, until], [crl, '2020-01-08T00:00:00.000Z'])
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.metricsPort}/metrics`)).text()
  assert.match(metrics, /expiry_timestamp_seconds\{file="[^"]*crl.pem",kind="revocation_list"\} 1578441600/)
  await assert.rejects(openStation(bridge.url, 'CP1', optionsFor('good')), { code: 403 })
  const { problem } = await bridge.logged(/a station was refused/)
  assert.equal(problem, invalid('CRL_HAS_EXPIRED'))
  await ca.crl()
  bridge.process.signal('SIGHUP')
  await bridge.process.line(/"part":"ssl_cert".*reloaded/)
  await (await openStation(bridge.url, 'CP1', optionsFor('good'))).close()
})

for (const version of ['-tls1_2', '-tls1_3']) {
  test(`no session is resumed over ${version}, so that expiry and revocation are checked each time`, async () => {
    const session = join(folder, `session${version}`)
    const { cert = '', key = '' } = certificates['good'] ?? {}
    const connect = (...flags: readonly string[]) =>
      run('sh', [
        '-c',
        'printf "GET /health HTTP/1.1\\r\\nHost: csms\\r\\nConnection: close\\r\\n\\r\\n" | openssl "$@"',
        'sh',
        ...[
          's_client',
          '-ign_eof',
          '-connect',
          `127.0.0.1:${required.port}`,
          version,
          '-cert',
          cert,
          '-key',
          key,
          ...flags,
        ],
      ])
    const first = await connect('-sess_out', session)
    assert.match(first.stdout, /stayin' alive/)
    const again = await connect('-sess_in', session)
    assert.doesNotMatch(again.stdout, /Reused/)
  })
}
