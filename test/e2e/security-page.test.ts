/**
 * docs/security.md, "Profiles, step by step", followed: each profile's commands as they stand there, an independent
 * client that has what the profile needs, and clients that have not.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openBridge } from '../support/bridge.ts'
import { cliWith } from '../support/cli.ts'
import { commandsOf } from '../support/pages.ts'
import { run } from '../support/process.ts'
import { openStation, type StationOptions } from '../support/station.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-profiles-'))
after(() => rmSync(folder, { recursive: true }))
const pem = (file: string): string => readFileSync(join(folder, file), 'utf8')
const commands = commandsOf('docs/security.md')
let key = ''

before(async () => {
  const another = ['-subj', '"/CN=Others"', '-keyout', 'other.key', '-out', 'other.crt']
  const lines = [
    ...commandsOf('docs/how-to/tls.md').filter(line => /^openssl (?!ca )/.test(line)),
    `openssl req -x509 -newkey rsa:2048 -nodes -days 1 ${another.join(' ')}`,
  ]
  for (const line of lines) assert.equal((await run('sh', ['-c', line], { cwd: folder })).code, 0, line)
  const [, , , id = '', ...flags] = commands.find(line => line.startsWith('ocpp-cable auth add'))?.split(' ') ?? []
  key = await cliWith({}, folder).newKey('add', id, ...flags)
})

const tls = (): StationOptions => ({ ca: pem('ca.crt'), servername: 'csms.example' })
const mine = (): StationOptions => ({ ...tls(), cert: pem('CP1.crt'), key: pem('CP1.key') })

type Row = readonly [
  profile: 0 | 1 | 2 | 3,
  good: () => StationOptions,
  bad: readonly (readonly [because: string, id: string, options: () => StationOptions, status: number])[],
]
const rows: readonly Row[] = [
  [0, () => ({}), []],
  [
    1,
    () => ({ password: key }),
    [
      ['no key', 'CP1', () => ({}), 401],
      ['a wrong key', 'CP1', () => ({ password: 'open sesame' }), 401],
      ['the key of another station', 'CP2', () => ({ password: key }), 404],
    ],
  ],
  [
    2,
    () => ({ ...tls(), password: key }),
    [
      ['no key', 'CP1', tls, 401],
      ['a wrong key', 'CP1', () => ({ ...tls(), password: 'open sesame' }), 401],
    ],
  ],
  [
    3,
    mine,
    [
      ['a key instead of a certificate', 'CP1', () => ({ ...tls(), password: key }), 403],
      ['the certificate of another station', 'CP2', mine, 403],
      ['a self-signed certificate', 'CP1', () => ({ ...tls(), cert: pem('other.crt'), key: pem('other.key') }), 403],
    ],
  ],
]

for (const [profile, good, bad] of rows) {
  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const) {
    test(`profile ${profile} serves a ${version} station that has what it needs, and no other`, async t => {
      const wanted = profile === 0 ? /^ocpp-cable --host=127/ : new RegExp(`--ocpp_profile=${profile} `)
      const line = commands.find(each => wanted.test(each)) ?? assert.fail()
      const flags = line.split(' ').slice(1).map(inFolder)
      const bridge = await openBridge([...flags, '--host=127.0.0.1', '--rpc_command_timeout=100ms'])
      t.after(() => bridge.close())
      const station = await openStation(bridge.url, 'CP1', { ...good(), version })
      t.after(() => station.close())
      assert.equal(typeof (await station.call('Heartbeat'))['currentTime'], 'string')
      for (const [because, id, options, code] of bad)
        await assert.rejects(openStation(bridge.url, id, { ...options(), version }), { code }, because)
      if (profile >= 2)
        await assert.rejects(openStation(bridge.url.replace('wss', 'ws'), 'CP1', { ...good(), version }))
    })
  }
}

/** The bridge does not run in the folder of the files. */
function inFolder(flag: string): string {
  const [name = '', value = ''] = flag.split('=')
  if (!/^--(?:ssl_|ocpp_auth_file)/.test(name)) return flag
  return `${name}=${value
    .split(',')
    .map(file => join(folder, file))
    .join(',')}`
}
