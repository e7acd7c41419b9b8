/**
 * Security profiles 0 to 3 with independent clients, for 1.6 and 2.0.1: a station that has what its profile needs is
 * served, any other is refused before the 101.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { cliWith } from '../support/cli.ts'
import { openCa, type Files } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { strangers, type Credentials } from '../support/strangers.ts'

const keep = keepUntil(after)
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-strangers-'))
after(() => rmSync(folder, { recursive: true }))

const profiles = [0, 1, 2, 3] as const
type Profile = (typeof profiles)[number]
const bridges: Partial<Record<Profile, Bridge>> = {}
const certificates: Record<string, Files> = {}
const keys: Record<string, Buffer> = {}

before(async () => {
  const ca = await openCa(join(folder, 'ca'), 'Stations')
  const others = await openCa(join(folder, 'others'), 'Others')
  const server = await ca.issue('server', { subject: '/CN=csms', san: 'IP:127.0.0.1', usage: 'serverAuth' })
  Object.assign(certificates, {
    ca,
    others,
    good: await ca.issue('good', { subject: '/CN=CP1' }),
    rsa: await ca.issue('rsa', { subject: '/CN=CP1', rsa: true }),
    revoked: await ca.issue('revoked', { subject: '/CN=CP1' }),
    expired: await ca.issue('old', { subject: '/CN=CP1', from: '20200101000000Z', until: '20210101000000Z' }),
    foreign: await others.issue('foreign', { subject: '/CN=CP1' }),
    self: await openCa(join(folder, 'self'), 'CP1'),
  })
  await ca.revoke(certificates['revoked'] ?? assert.fail())
  const file = join(folder, 'keys')
  for (const id of ['CP1', 'CP2', 'CP3', 'CP4', 'other']) {
    keys[id] = Buffer.from(await cliWith({}).newKey('add', id, `--ocpp_auth_file=${file}`), 'hex')
  }
  const tls = [`--ssl_cert=${server.cert}`, `--ssl_key=${server.key}`]
  const flags: Readonly<Record<Profile, readonly string[]>> = {
    0: [],
    1: ['--ocpp_profile=1', `--ocpp_auth_file=${file}`],
    2: ['--ocpp_profile=2', `--ocpp_auth_file=${file}`, ...tls],
    3: ['--ocpp_profile=3', ...tls, `--ssl_client_ca=${ca.cert}`, `--ssl_client_crl=${await ca.crl()}`],
  }
  for (const profile of profiles)
    // No app runs: the bridge itself answers a Heartbeat.
    bridges[profile] = keep(await openBridge([...flags[profile], '--rpc_command_timeout=100ms']))
})

const trusting = (): Credentials => ({ ca: certificates['ca']?.cert ?? '' })
const withKey = (id = 'other'): Credentials => ({ password: keys[id] ?? assert.fail() })
const withCertificate = (name: string): Credentials => ({ ...trusting(), ...pick(certificates[name]) })
const pick = ({ cert, key }: Files = assert.fail()): Files => ({ cert, key })
const wrongKey = { password: Buffer.from('a key that nobody has') }

type Row = readonly [
  profile: Profile,
  /** `null`: its own one, so that no station guesses too often. */
  id: string | null,
  /** @param id its own one */
  credentials: (id: string) => Credentials,
  /** `null`: the connection ends before an answer. */
  status: number | null,
  because: string,
  scheme?: 'ws' | 'wss',
]
const rows: readonly Row[] = [
  [0, 'CP1', () => ({}), 101, 'nothing is asked for'],
  [1, null, id => withKey(id), 101, 'its key is right'],
  [1, null, () => ({}), 401, 'it sends no key'],
  [1, null, () => wrongKey, 401, 'its key is wrong'],
  [1, null, () => withKey(), 401, 'its key is that of another station'],
  [1, 'unknown', () => withKey(), 404, 'it is unknown'],
  [2, null, id => ({ ...trusting(), ...withKey(id) }), 101, 'its key is right'],
  [2, null, trusting, 401, 'it sends no key'],
  [2, null, () => ({ ...trusting(), ...wrongKey }), 401, 'its key is wrong'],
  [2, null, () => ({ ...trusting(), ...withKey() }), 401, 'its key is that of another station'],
  [2, 'unknown', () => ({ ...trusting(), ...withKey() }), 404, 'it is unknown'],
  [2, null, id => ({ ca: certificates['others']?.cert ?? '', ...withKey(id) }), null, 'it trusts another CA'],
  [2, null, id => withKey(id), null, 'it does not use TLS', 'ws'],
  [3, 'CP1', () => withCertificate('good'), 101, 'its certificate is right'],
  [3, 'CP1', () => withCertificate('rsa'), 101, 'its certificate is right, with an RSA key'],
  [3, 'CP1', trusting, 403, 'it has no certificate'],
  [3, 'CP1', () => ({ ...trusting(), ...withKey() }), 403, 'it has a key instead of a certificate'],
  [3, 'CP2', () => withCertificate('good'), 403, 'its certificate is that of another station'],
  [3, 'CP1', () => withCertificate('expired'), 403, 'its certificate has expired'],
  [3, 'CP1', () => withCertificate('revoked'), 403, 'its certificate is revoked'],
  [3, 'CP1', () => withCertificate('foreign'), 403, 'its certificate is of another CA'],
  [3, 'CP1', () => withCertificate('self'), 403, 'its certificate is self-signed'],
  [3, 'CP1', () => ({}), null, 'it does not use TLS', 'ws'],
]
for (const [at, [name, visit]] of Object.entries(strangers).entries()) {
  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const) {
    const own = `CP${1 + at * 2 + Number(version === 'ocpp2.0.1')}`
    for (const [profile, id, credentials, status, because, scheme] of rows) {
      const outcome = status === 101 ? 'is served' : status === null ? 'does not get through' : `gets ${status}`
      test(`a ${version} station on ${name} ${outcome} by profile ${profile}: ${because}`, async () => {
        const { url } = bridges[profile] ?? assert.fail()
        const target = scheme === undefined ? url : url.replace(/^wss?/, scheme)
        assert.equal(await visit(target, { id: id ?? own, version, credentials: credentials(own) }), status)
      })
    }
  }
}
