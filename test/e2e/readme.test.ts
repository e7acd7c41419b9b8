/**
 * The README's commands, each one run as it stands there, in a fresh copy of the repository.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { programEnv } from '../support/bridge.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, run } from '../support/process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** Each line of the README's shell blocks. */
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'))

const scratch = await mkdtemp(join(tmpdir(), 'ocpp-cable-readme-'))
const clone = join(scratch, 'clone')
const options = { cwd: clone, env: programEnv() }

before(async () => {
  const tracked = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of tracked.stdout.trim().split('\n')) {
    if (existsSync(join(root, file))) cpSync(join(root, file), join(clone, file), { recursive: true })
  }
})
after(() => rm(scratch, { recursive: true, force: true }))

/** Runs a command line as a shell does; the ports that it names stand for free ones. */
const shell = (line: string, ports: Readonly<Record<string, number>> = {}) => {
  const moved = Object.entries(ports).reduce(
    (text, [from, to]) => text.replaceAll(`localhost:${from}`, `localhost:${to}`),
    line,
  )
  return openProcess('bash', ['-c', `exec ${moved}`], options)
}

async function assertSucceeds(line: string): Promise<void> {
  const { code, stdout, stderr } = await run('bash', ['-c', line], options)
  assert.equal(code, 0, `${line}\n${stdout}${stderr}`)
}

/** Starts the bridge by a line of the README, on a port of its own, and asks it for its health. */
async function assertStarts(line: string, ports: Readonly<Record<string, number>> = {}) {
  const port = await freePort()
  const bridge = shell(
    `env ANYCABLE_PORT=${port} ANYCABLE_HTTP_BROADCAST_PORT=${ports['8090'] ?? (await freePort())} ${line}`,
  )
  await bridge.line(/Handle OCPP/)
  const health = await fetch(`http://127.0.0.1:${port}/health`)
  assert.equal(health.status, 200)
  return bridge
}

/** In the README's order: each line, and how it is shown to work. */
const rows: readonly (readonly [RegExp, (line: string) => Promise<void>])[] = [
  [/^bin\/demo$/, line => assertIsTestedBy(line, 'test/e2e/demo.test.ts')],
  [/^bin\/test$/, line => assertIsTestedBy(line, '.ci/run')],
  [/^npm ci$/, assertSucceeds],
  [/^npm run build$/, assertSucceeds],
  [/^node bin\/ocpp-cable .*--nats_servers/, async line => (await assertStarts(line)).close()],
  [/^node bin\/ocpp-cable .*--broadcast_adapter=http/, async line => (await assertStarts(line)).close()],
  [/^curl /, assertBroadcasts],
]

async function assertIsTestedBy(line: string, file: string): Promise<void> {
  assert.ok(existsSync(join(root, line)), `${line} is missing`)
  assert.ok(readFileSync(join(root, file), 'utf8').includes(line), `${file} does not run ${line}`)
  return Promise.resolve()
}

/** A broadcast for a station that is not there is taken, and counted as dropped. */
async function assertBroadcasts(line: string): Promise<void> {
  const port = await freePort()
  const bridge = await assertStarts('node bin/ocpp-cable --broadcast_adapter=http', { 8090: port })
  const curl = shell(line, { 8090: port })
  await curl.line(/201 Created/)
  await bridge.close()
}

test('every command of the README is run here', () => {
  assert.equal(commands.length, rows.length, commands.join('\n'))
})

for (const [index, line] of commands.entries()) {
  test(`README: ${line}`, async () => {
    const [pattern, check] = rows[index] ?? []
    assert.match(line, pattern ?? /$^/)
    await check?.(line)
  })
}

test('what the README links to is there', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)|src="([^"]+)"/g)].map(([, link, source]) => link ?? source ?? '')
  assert.ok(links.length > 10)
  for (const link of links) assert.ok(existsSync(join(root, link)), link)
})

test('the channel of the README is Ruby', async () => {
  const channel = /```ruby\n(# app\/channels[\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const { code, stdout, stderr } = await run('ruby', ['-c', '-e', channel])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /Syntax OK/)
})

test('npm pack makes a package that installs and runs in an empty folder', async () => {
  const packed = await run('npm', ['pack', '--silent', '--pack-destination', scratch], options)
  assert.equal(packed.code, 0, packed.stderr)
  const tarball = join(scratch, packed.stdout.trim().split('\n').at(-1) ?? '')
  const empty = await mkdtemp(join(dirname(tarball), 'empty-'))
  const installed = await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', empty, tarball], {
    cwd: empty,
  })
  assert.equal(installed.code, 0, installed.stdout + installed.stderr)
  const version = await run(join(empty, 'node_modules/.bin/ocpp-cable'), ['--version'], { cwd: empty })
  const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual([version.code, version.stdout], [0, `${expected}\n`])
})
