/**
 * docs/how-to/tls.md, followed: its commands make the certificates, its files start the bridge, a station of each
 * profile comes in.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { blocksOf } from '../support/pages.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import { openStation, type StationOptions } from '../support/station.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-page-'))
const blocks = blocksOf('docs/how-to/tls.md')
const ofPage = (file: string): string => readFileSync(join(folder, file), 'utf8')

before(async () => {
  const commands = blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.trim().split('\n'))
  await follow(commands.filter(line => /^openssl (?!ca )/.test(line)))
})

/** Runs commands of the page, in its folder. */
async function follow(commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const { code, stderr } = await run('sh', ['-c', command], { cwd: folder })
    assert.equal(code, 0, `${command}\n${stderr}`)
  }
}

after(() => rmSync(folder, { recursive: true }))

/** Starts the bridge with a file of the page, on free ports of 127.0.0.1. */
async function startWith(name: string): Promise<{ bridge: Bridge; ports: number[] }> {
  const { text } = blocks.find(({ file }) => file === name) ?? assert.fail(name)
  const ports: number[] = []
  let toml = text.replaceAll('0.0.0.0', '127.0.0.1').replace(/"(\w+\.(?:crt|key|crl))"/g, `"${folder}/$1"`)
  for (const line of text.match(/^port = .*/gm) ?? []) {
    ports.push(await freePort())
    toml = toml.replace(line, `port = ${ports.at(-1)}`)
  }
  const file = join(folder, name)
  writeFileSync(file, toml)
  const [port] = ports
  const flags = ['--ignore-config-path=false', `--config-path=${file}`, `--port=${port}`, '--rpc_command_timeout=100ms']
  return { bridge: await openBridge(flags), ports }
}

const byProfile: Readonly<Record<1 | 2 | 3, () => StationOptions>> = {
  1: () => ({ password: 'open sesame' }),
  2: () => ({ password: 'open sesame', ca: ofPage('ca.crt'), servername: 'csms.example' }),
  3: () => ({ ca: ofPage('ca.crt'), servername: 'csms.example', cert: ofPage('CP1.crt'), key: ofPage('CP1.key') }),
}

const rows: readonly (readonly [file: string, profiles: readonly (1 | 2 | 3)[]])[] = [
  ['profile-2.toml', [2]],
  ['profile-3.toml', [3]],
  ['listeners.toml', [1, 2, 3]],
]
for (const [file, profiles] of rows) {
  test(`${file} serves a station of profile ${profiles.join(', ')} on its port, and none without proof`, async t => {
    const { bridge, ports } = await startWith(file)
    t.after(() => bridge.close())
    for (const [at, profile] of profiles.entries()) {
      const url = `${profile === 1 ? 'ws' : 'wss'}://127.0.0.1:${ports[at]}/ocpp`
      const options = byProfile[profile]()
      // One identity for each: a lower profile after a higher one would be refused.
      const station = await openStation(url, profile === 3 ? 'CP1' : `CP-${profile}`, options)
      assert.equal(typeof (await station.call('Heartbeat'))['currentTime'], 'string')
      await station.close()
      const { ca, servername } = options
      const bare = { ...(ca !== undefined && { ca }), ...(servername !== undefined && { servername }) }
      await assert.rejects(openStation(url, 'CP9', bare), { code: profile === 3 ? 403 : 401 })
    }
  })
}

test('a station with a revoked certificate gets 403 once the bridge has read the new list, and not before', async t => {
  const [make = [], revoke = []] = blocksOf('docs/how-to/tls.md', 'Revoke a certificate')
    .filter(({ language }) => language === 'sh')
    .map(({ text }) => text.trim().split('\n'))
  await follow(make)
  const { bridge, ports } = await startWith('profile-3-crl.toml')
  t.after(() => bridge.close())
  const url = `wss://127.0.0.1:${ports[0]}/ocpp`
  await (await openStation(url, 'CP1', byProfile[3]())).close()
  await follow(revoke)
  bridge.process.signal('SIGHUP')
  await bridge.process.line(/"part":"ssl_cert".*reloaded/)
  await assert.rejects(openStation(url, 'CP1', byProfile[3]()), { code: 403 })
})
