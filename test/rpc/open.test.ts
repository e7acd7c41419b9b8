/** TLS to the app over gRPC and HTTP: a private CA, no verification, and each misconfiguration. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { RpcError } from '../../src/cable/rpc.ts'
import { openTransport, type TransportSettings } from '../../src/rpc/open.ts'
import type { Transport } from '../../src/rpc/transport.ts'
import { rpcError } from '../contract/rpc.ts'
import { ScriptedApp } from '../support/app.ts'
import { HttpApp } from '../support/http-app.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'

const settings = {
  enableTls: true,
  tlsVerify: true,
  tlsRootCa: null,
  maxCallRecvSize: 0,
  maxCallSendSize: 0,
  httpKey: null,
} as const
const connect = { sid: 's1', env: { url: 'http://csms.example/ocpp/CP01', headers: {}, cstate: {}, istate: {} } }

let folder: string
const fileOf = (name: string) => join(folder, name)
const textOf = (name: string) => readFileSync(fileOf(name), 'utf8')
const keyPairOf = (name: string) => ({ cert: textOf(`${name}.crt`), key: textOf(`${name}.key`) })

async function openssl(...args: readonly string[]): Promise<void> {
  const made = await run('openssl', args)
  assert.equal(made.code, 0, made.stderr)
}

async function makeCertificate(name: string, ...more: readonly string[]): Promise<void> {
  await openssl(
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...more],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-keyout', fileOf(`${name}.key`), '-out', fileOf(`${name}.crt`)],
  )
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-tls-'))
  await makeCertificate('ca')
  await makeCertificate('stranger')
  const signed = ['-CA', fileOf('ca.crt'), '-CAkey', fileOf('ca.key')]
  await makeCertificate('app', ...signed, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  await makeCertificate('elsewhere', ...signed, '-addext', 'subjectAltName=DNS:app.example')
  await writeFile(fileOf('junk.pem'), 'no certificate')
})

after(() => rm(folder, { recursive: true }))

/** Opens an app behind a certificate, or without TLS, and settles with its address. */
type OpenApp = (t: TestContext, certificate: 'app' | 'elsewhere' | null) => Promise<string>

const overGrpc: OpenApp = async (t, certificate) => {
  if (certificate === null) {
    const app = await ScriptedApp.start()
    t.after(() => app.stop())
    return app.host
  }
  const proto = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
  const server = new Server()
  server.addService(loadSync(proto, { enums: String })['anycable.RPC'] as ServiceDefinition, {
    Connect: (_: unknown, reply: (error: null, message: object) => void) => reply(null, { status: 'SUCCESS' }),
  })
  t.after(() => server.forceShutdown())
  const { cert, key } = keyPairOf(certificate)
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }
  const host = `127.0.0.1:${await freePort()}`
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(host, ServerCredentials.createSsl(null, [pair]), error => {
      if (error === null) resolve()
      else reject(error)
    })
  })
  return host
}

const overHttp: OpenApp = async (t, certificate) => {
  const app = await HttpApp.start(certificate === null ? {} : { tls: keyPairOf(certificate) })
  t.after(() => app.stop())
  return app.url.replace('http:', 'https:')
}

/** [the app's certificate, settings, the error where a call fails, because] */
const rows: readonly (readonly [
  'app' | 'elsewhere' | null,
  () => Partial<TransportSettings>,
  RegExp | null,
  string,
])[] = [
  ['app', () => ({ tlsRootCa: fileOf('ca.crt') }), null, 'a private CA from a file'],
  ['app', () => ({ tlsRootCa: textOf('ca.crt') }), null, 'a private CA from text'],
  ['app', () => ({ tlsRootCa: textOf('stranger.crt') + textOf('ca.crt') }), null, 'one CA of several'],
  ['app', () => ({}), /; .* not signed by a trusted CA: set rpc_tls_root_ca/, 'a CA that the system does not trust'],
  ['app', () => ({ tlsRootCa: fileOf('stranger.crt') }), /; .* not signed by a trusted CA/, 'another CA'],
  [
    'elsewhere',
    () => ({ tlsRootCa: fileOf('ca.crt') }),
    /127\.0\.0\.1.*; .* is for another name: .* rpc_host/,
    'another name',
  ],
  ['elsewhere', () => ({ tlsVerify: false }), null, 'no verification'],
  [
    'elsewhere',
    () => ({ tlsVerify: false, tlsRootCa: fileOf('stranger.crt') }),
    null,
    'no verification, whatever the CA',
  ],
  [null, () => ({ tlsRootCa: fileOf('ca.crt') }), /; the app does not speak TLS there/, 'the app has no TLS'],
]

/** grpc-js 1.14 passes an address to TLS as the server name, which Node.js 26 rejects. */
const skipped = (impl: string) =>
  impl === 'grpc-js' && Number(process.versions.node.split('.')[0]) >= 26 && 'grpc-js needs a host name'

/** On a loaded machine, the time may end in the middle of an attempt. */
async function problemOf(rpc: Transport): Promise<RpcError | null> {
  const problem = await rpc.problem(2_000)
  return problem?.code === 'timeout' ? problemOf(rpc) : problem
}

for (const [impl, openApp] of [
  ['grpc', overGrpc],
  ['grpc-js', overGrpc],
  ['http', overHttp],
] as const) {
  for (const [certificate, more, problem, because] of rows) {
    test(
      `${impl}: a call ${problem === null ? 'succeeds' : 'fails with the remedy'} with ${because}`,
      { skip: skipped(impl) },
      async t => {
        const rpc = openTransport({ ...settings, host: await openApp(t, certificate), impl, ...more() })
        t.after(() => rpc.close())
        const reply = rpc.connect(connect, new AbortController().signal)
        if (problem === null) {
          assert.equal((await reply).status, 'success')
        } else {
          await assert.rejects(reply, rpcError('unavailable', 'notRun', problem))
          assert.ok(rpcError('unavailable', 'notRun', problem)(await problemOf(rpc)), 'the start tells the same')
        }
      },
    )
  }
}

for (const impl of ['grpc', 'grpc-js'] as const) {
  test(`${impl}: a call fails with the remedy when the app expects TLS`, async t => {
    const host = await overGrpc(t, 'app')
    const rpc = openTransport({ ...settings, host, impl, enableTls: false })
    t.after(() => rpc.close())
    const reply = rpc.connect(connect, new AbortController().signal)
    await assert.rejects(reply, rpcError('unavailable', 'notRun', /; .* may expect TLS: see rpc_enable_tls/))
  })
}

test('openTransport throws with the option in the message when the CA cannot be used', () => {
  const open = (tlsRootCa: string) => () => openTransport({ ...settings, host: 'a:1', impl: 'grpc', tlsRootCa })
  assert.throws(open(fileOf('missing.pem')), /^Error: rpc_tls_root_ca: .*missing\.pem cannot be read$/)
  assert.throws(open(fileOf('junk.pem')), /^Error: rpc_tls_root_ca: .*junk\.pem is not a PEM certificate$/)
  assert.throws(
    open('-----BEGIN CERTIFICATE-----\njunk'),
    /^Error: rpc_tls_root_ca: its value is not a PEM certificate$/,
  )
})
