import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../../../src/cli/run.ts'
import { ScriptedApp } from '../../support/app.ts'
import { keepUntil } from '../../support/keep.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { FakeTerminal } from '../../support/terminal.ts'

async function check(...argv: readonly string[]) {
  const terminal = new FakeTerminal()
  const code = await runCommand(['check', ...argv], terminal)
  return { code, out: terminal.out, lines: terminal.lines }
}

async function freePorts(): Promise<readonly string[]> {
  return ['--host=127.0.0.1', `--port=${await freePort()}`, `--http_broadcast_port=${await freePort()}`]
}

test('check prints one line for each thing that the bridge needs, and ends with 0', async t => {
  const app = keepUntil(end => t.after(end))(await ScriptedApp.start())
  const dir = temporaryDirectory(t)
  const flags = [`--rpc_host=${app.host}`, `--state_dir=${dir}`, ...(await freePorts())]
  const { code, lines } = await check('--station', 'CP1', '--ignore-config-path', ...flags)
  assert.equal(code, 0, lines.join('\n'))
  assert.deepEqual(
    lines.map(line => line.split(/ {2,}/).slice(0, 2)),
    [
      ['ok', 'configuration'],
      ['ok', 'rpc'],
      ['skip', 'nats'],
      ['skip', 'certificate'],
      ['skip', 'keys'],
      ['ok', 'port'],
      ['ok', 'http_broadcast_port'],
      ['ok', 'open files'],
      ['skip', 'clock'],
      ['ok', 'state_dir'],
    ],
  )
  assert.deepEqual(app.received.all.map(({ method }) => method), ['Connect', 'Disconnect']) // prettier-ignore
})

test('check ends with 1 and names the fix when the app is away', async () => {
  const rpc = `127.0.0.1:${await freePort()}`
  const { code, out } = await check('--ignore-config-path', `--rpc_host=${rpc}`, ...(await freePorts()))
  assert.equal(code, 1)
  assert.match(out, new RegExp(`^fail {2}rpc +${rpc}: .*; fix: start its RPC server`, 'm'))
})

test('check reads the TOML file, and each problem in it is a line', async t => {
  const file = path.join(temporaryDirectory(t), 'bridge.toml')
  writeFileSync(file, 'x = 1\n[rpc]\nhost = "a\u009bb"\n')
  const { code, lines } = await check(`--config-path=${file}`, '--prot=1')
  assert.equal(code, 1)
  assert.equal(lines.length, 3)
  assert.ok(lines.every(line => line.startsWith('fail  configuration')))
  assert.match(lines.join('\n'), /--prot: unknown flag; did you mean --port\?/)
})

test('check --json prints one line of JSON for each', async () => {
  const { lines } = await check('--json', '--ignore-config-path', `--rpc_host=127.0.0.1:${await freePort()}`)
  const [first] = lines.map(line => JSON.parse(line) as Readonly<Record<string, unknown>>)
  assert.deepEqual(Object.keys(first ?? {}).sort(), ['fix', 'found', 'status', 'subject'])
})
