/**
 * Files that are read again while the bridge runs, replaced by what cannot be read: the bridge keeps what it has, says
 * so once, reloads all other files, serves its stations, and ends on SIGTERM.
 */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openBridge } from '../support/bridge.ts'
import { openCa } from '../support/certificate.ts'
import { cliWith } from '../support/cli.ts'
import { replacements } from '../support/replacements.ts'
import { openStation } from '../support/station.ts'
import { temporaryDirectory } from '../support/store.ts'

const parts = ['ocpp_auth_file', 'ssl_cert', 'log_level'] as const
type Part = (typeof parts)[number]

/** With the part that each is of. */
const files: Readonly<Record<string, Part>> = {
  keys: 'ocpp_auth_file',
  'tls.crt': 'ssl_cert',
  'tls.key': 'ssl_cert',
  'ca.pem': 'ssl_cert',
  'stations.crl': 'ssl_cert',
  'bridge.toml': 'log_level',
}

/** A bridge that reads each of the files. */
async function openReading(t: TestContext) {
  const folder = temporaryDirectory(t)
  const at = (file: string): string => join(folder, file)
  const ca = await openCa(at('ca'), 'CA')
  const { cert, key } = await ca.issue('csms', { subject: '/CN=csms', san: 'IP:127.0.0.1', usage: 'serverAuth' })
  const sources = { 'tls.crt': cert, 'tls.key': key, 'ca.pem': ca.cert, 'stations.crl': await ca.crl() }
  for (const [file, source] of Object.entries(sources)) copyFileSync(source, at(file))
  const password = await cliWith({}).newKey('add', 'CP1', `--ocpp_auth_file=${at('keys')}`)
  writeFileSync(at('bridge.toml'), '[logging]\nlevel = "info"\n')
  mkdirSync(at('kept'))
  for (const file of Object.keys(files)) copyFileSync(at(file), at(`kept/${file}`))
  const bridge = await openBridge([
    ...['--ignore-config-path=false', `--config-path=${at('bridge.toml')}`, `--ocpp_auth_file=${at('keys')}`],
    ...[`--ssl_cert=${at('tls.crt')}`, `--ssl_key=${at('tls.key')}`, '--ssl_client_verify=optional'],
    ...[`--ssl_client_ca=${at('ca.pem')}`, `--ssl_client_crl=${at('stations.crl')}`],
  ])
  t.after(() => bridge.process.signal('SIGKILL'))
  /** What SIGHUP logs: the error of each part, or `null` for one that is reloaded. */
  const reload = async (): Promise<{ part: unknown; error: string | null }[]> => {
    const from = bridge.log().length
    const fromLine = bridge.process.lines.length
    bridge.process.signal('SIGHUP')
    await bridge.process.line(/"part":"log_level"/, fromLine)
    const lines = bridge.log().slice(from)
    return lines
      .filter(({ part }) => part !== undefined)
      .map(({ part, error }) => ({ part, error: typeof error === 'string' ? error : null }))
  }
  const restore = (file: string): void => {
    rmSync(at(file), { recursive: true, force: true })
    copyFileSync(at(`kept/${file}`), at(file))
  }
  const visit = async (): Promise<void> =>
    (await openStation(bridge.url, 'CP1', { password, ca: readFileSync(ca.cert, 'utf8') })).close()
  return { at, bridge, reload, restore, visit }
}

test('a file replaced by one that cannot be read leaves the old one in effect', { timeout: 120_000 }, async t => {
  const { at, bridge, reload, restore, visit } = await openReading(t)
  const reloaded = parts.map(part => ({ part, error: null }))
  for (const { name, replace, problem } of replacements) {
    for (const [file, part] of Object.entries(files)) {
      await t.test(`${file} replaced by ${name}`, async () => {
        await replace(at(file))
        const found = await reload()
        await visit()
        restore(file)
        assert.deepEqual(await reload(), reloaded)
        const { error = null } = found.find(each => each.part === part) ?? {}
        assert.deepEqual(
          found,
          reloaded.map(each => (each.part === part ? { part, error } : each)),
        )
        // An empty configuration has the defaults.
        if (problem === null && part === 'log_level') return
        assert.match(error ?? '', problem ?? /is empty$/)
        assert.ok(error?.includes(at(file)), error ?? '')
      })
    }
  }
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
})

test('files that become FIFOs without a SIGHUP hold neither the bridge nor its end', { timeout: 60_000 }, async t => {
  const { at, bridge, visit } = await openReading(t)
  const [fifo = assert.fail()] = replacements
  const from = bridge.process.lines.length
  for (const file of Object.keys(files)) await fifo.replace(at(file))
  for (const part of parts) await bridge.process.line(new RegExp(`"part":"${part}".*could not reload`), from)
  await visit()
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
})
