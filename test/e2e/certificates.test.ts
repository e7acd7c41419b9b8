/**
 * SignCertificate and Plug & Charge pass through whole, in their largest sizes, with schemas enforced; and the Ruby of
 * docs/how-to/certificate-rotation.md signs what a station asks for.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Version } from '../../src/ocpp/version.ts'
import { openAdminBridge, type AdminBridge } from '../support/admin-bridge.ts'
import type { PerformData } from '../support/app.ts'
import { commandBroadcast } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { run } from '../support/process.ts'
import { openStation, type Payload } from '../support/station.ts'

const keep = keepUntil(after)
const within = { timeout: 120_000 }
const strict = ['in', 'out', 'acks'].map(side => `--ocpp_validate_${side}=strict`)
const performs: PerformData[] = []
let parts: AdminBridge
/** The app's answers, by action. */
const acks = new Map<string, object>()

before(async () => {
  parts = await openAdminBridge(keep, [...strict, '--ocpp_sn=station_id'], data => {
    performs.push(data)
    return acks.get(data.command) ?? null
  })
}, within)

/** Text of exactly this length, with line breaks and quotes. */
const text = (length: number): string => `-----BEGIN "X"-----\n${'A'.repeat(length)}`.slice(0, length - 1) + '\n'
const hashes = Array.from({ length: 4 }, (_, at) => ({
  hashAlgorithm: 'SHA512',
  issuerNameHash: `${at}`.repeat(128),
  issuerKeyHash: 'k'.repeat(128),
  serialNumber: 's'.repeat(40),
  responderURL: `http://${'r'.repeat(505)}`,
}))
const idToken = { idToken: 'e'.repeat(36), type: 'eMAID' }
const exi = (action: string, length: number) => ({
  iso15118SchemaVersion: 'urn:iso:15118:2:2013:MsgDef',
  action,
  exiRequest: text(length),
})

const calls: readonly (readonly [Version, action: string, request: Payload, answer: Payload])[] = [
  ['ocpp1.6', 'SignCertificate', { csr: text(5500) }, { status: 'Accepted' }],
  ['ocpp2.0.1', 'SignCertificate', { csr: text(5500), certificateType: 'V2GCertificate' }, { status: 'Accepted' }],
  [
    'ocpp2.0.1',
    'Authorize',
    { idToken, certificate: text(5500), iso15118CertificateHashData: hashes },
    { idTokenInfo: { status: 'Accepted' }, certificateStatus: 'Accepted' },
  ],
  ['ocpp2.1', 'Authorize', { idToken, certificate: text(10_000) }, { idTokenInfo: { status: 'Unknown' } }],
  ['ocpp2.0.1', 'Get15118EVCertificate', exi('Install', 5600), { status: 'Accepted', exiResponse: text(5600) }],
  ['ocpp2.1', 'Get15118EVCertificate', exi('Update', 11_000), { status: 'Accepted', exiResponse: text(17_000) }],
]
for (const [version, action, request, answer] of calls) {
  test(`${action} of ${version} passes whole, there and back, in its largest size`, within, async () => {
    acks.set(action, answer)
    const station = await openStation(parts.bridge.url, `CP-${action}-${version}`, { version })
    assert.deepEqual(await station.call(action, request), answer)
    assert.deepEqual(performs.findLast(({ command }) => command === action)?.['payload'], request)
    await station.close()
  })
}

const signed: readonly (readonly [Version, more: Payload])[] = [
  ['ocpp1.6', {}],
  ['ocpp2.0.1', { certificateType: 'ChargingStationCertificate' }],
  ['ocpp2.1', { certificateType: 'V2G20Certificate', requestId: 7 }],
]
for (const [version, more] of signed) {
  test(`CertificateSigned reaches a ${version} station whole, and its answer the app`, within, async () => {
    const id = `CP-${version}`
    const station = await openStation(parts.bridge.url, id, { version })
    const payload = { certificateChain: text(10_000), ...more }
    const arrived = new Promise<Payload>(resolve =>
      station.answers('CertificateSigned', got => {
        resolve(got)
        return { status: 'Accepted' }
      }),
    )
    await station.call('Heartbeat')
    await parts.bridge.broadcast(commandBroadcast(id, { command: 'CertificateSigned', id: 'c', payload }))
    assert.deepEqual(await arrived, payload)
    await parts.bridge.metricReaches('ocpp_command_total', signed.findIndex(([each]) => each === version) + 1)
    await station.close()
  })
}

test(
  'the how-to page signs the request of a station: CertificateSigned takes the chain, OpenSSL trusts it',
  within,
  async () => {
    const page = readFileSync(new URL('../../docs/how-to/certificate-rotation.md', import.meta.url), 'utf8')
    const [, model = ''] = /```ruby\n(# app\/models.*?)```/s.exec(page) ?? []
    const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-sign-'))
    keep({ close: () => rmSync(folder, { recursive: true }) })
    const at = (name: string): string => join(folder, name)
    writeFileSync(at('station_certificate.rb'), model)
    const openssl = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await run('openssl', args)
      assert.equal(code, 0, stderr)
      return stdout
    }
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    await openssl('req', '-x509', ...ec, '-subj', '/CN=Station CA', '-keyout', at('ca.key'), '-out', at('ca.pem'))
    await openssl('req', ...ec, '-subj', '/CN=not mine', '-keyout', at('cp.key'), '-out', at('cp.csr'))
    const sign = (csr: string) =>
      run('ruby', [
        ...['-r', at('station_certificate.rb'), '-e'],
        `ca = OpenSSL::X509::Certificate.new(File.read("${at('ca.pem')}"))
       ca_key = OpenSSL::PKey.read(File.read("${at('ca.key')}"))
       begin
         puts StationCertificate.sign(File.read("${csr}"), serial_number: "SN1", operator: "Example", ca:, ca_key:)
       rescue StationCertificate::Invalid
         puts "invalid"
       end`,
      ])
    const { stdout: chain, stderr } = await sign(at('cp.csr'))
    writeFileSync(at('chain.pem'), chain)
    assert.match(
      await openssl('verify', '-purpose', 'sslclient', '-CAfile', at('ca.pem'), at('chain.pem')),
      /: OK/,
      stderr,
    )
    assert.match(await openssl('x509', '-in', at('chain.pem'), '-noout', '-subject'), /O ?= ?Example.*CN ?= ?SN1/)
    assert.ok(chain.length <= 10_000)
    writeFileSync(at('broken.csr'), 'not a request')
    assert.equal((await sign(at('broken.csr'))).stdout, 'invalid\n')
  },
)
