/**
 * The commands of the README and of the pages in docs/start and docs/how-to. Those about the bridge are run as they
 * stand there, in a fresh copy of the repository; the rows below name the files that run the others.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { programEnv } from '../support/bridge.ts'
import { blocksOf, commandsOf } from '../support/pages.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, run } from '../support/process.ts'
import { installScripts } from '../support/install-scripts.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

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

async function assertSucceeds(line: string): Promise<void> {
  const { code, stdout, stderr } = await run('bash', ['-c', line], options)
  assert.equal(code, 0, `${line}\n${stdout}${stderr}`)
}

/** Starts the bridge by a line of a page, on a port of its own, and asks it for its health. */
async function assertStarts(line: string): Promise<void> {
  const port = await freePort()
  const env = { ...options.env, ANYCABLE_PORT: String(port) }
  const bridge = openProcess('bash', ['-c', `exec ${line.replace(/ --port=\d+/, '')}`], { ...options, env })
  try {
    await bridge.line(/Handle OCPP/)
    assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200)
  } finally {
    await bridge.close()
  }
}

/** How a command is tested: it is run here, by another file (which has the words), or nowhere. */
type How = ((line: string) => Promise<void>) | readonly [file: string, words: string] | { readonly notRun: string }

const inNewApp = ['test/e2e/readme-rails.test.ts', "blocksOf('README.md', 'Add it to a Rails app')"] as const

const rows: readonly (readonly [line: RegExp, how: How])[] = [
  [/^npm ci$/, assertSucceeds],
  [/^npm run build$/, assertSucceeds],
  [/^node bin\/ocpp-cable .*--nats_servers/, assertStarts],
  [/^(rails new|cd charging|bundle add anycable-rails-core)/, inNewApp],
  [/^(ANYCABLE_SECRET=\S+ )?(RAILS_MAX_THREADS=\S+ )?bin\/rails /, inNewApp],
  [/^ANYCABLE_SECRET=\S+ node bin\/ocpp-cable .*--broadcast_adapter=http/, inNewApp],
  [/^curl .*\/_anycable\/connect$/, ['test/e2e/readme-rails.test.ts', "blocksOf('docs/start/existing-app.md')"]],
  [/^bundle exec anycable$/, ['test/support/rails.ts', "'exec', 'anycable'"]],
  [/^nats-server$/, ['test/support/nats.ts', 'nats-server']],
  [
    /^bundle add anycable-rails nats-pure$/,
    { notRun: 'the newest grpc compiles for half an hour; examples/rails has both' },
  ],
  [/^ocpp-cable --trusted_proxies=/, ['test/e2e/proxies.test.ts', '--trusted_proxies=127.0.0.1']],
  [/^ocpp-cable --admin_port=/, ['test/support/admin-bridge.ts', '--admin_port=']],
  [/^ssh -L /, { notRun: 'there is no other machine' }],
  [/^ocpp-cable station /, ['test/e2e/cli.test.ts', "'station'"]],
  [/^(key=\$\()?ocpp-cable auth /, ['test/e2e/station-keys.test.ts', "'auth'"]],
  [/^ocpp-cable call CP1 ChangeConfiguration /, ['test/e2e/station-keys-from-rails.test.ts', 'ChangeConfiguration']],
  [/^ocpp-cable tail /, ['test/e2e/cli.test.ts', "'tail'"]],
  [
    /^(openssl |touch |printf |mv |ocpp-cable --config-path=)/,
    ['test/e2e/tls-page.test.ts', "blocksOf('docs/how-to/tls.md')"],
  ],
  [/^npm install @opentelemetry\//, ['package.json', '"@opentelemetry/sdk-node"']],
  [/^OTEL_EXPORTER_OTLP_ENDPOINT=\S+ ocpp-cable --traces$/, ['test/e2e/traces.test.ts', '--traces']],
  [/^anycable-go /, { notRun: 'AnyCable’s own server is not installed for tests' }],
]

const pages = [
  'README.md',
  ...['start', 'how-to'].flatMap(kind => readdirSync(join(root, 'docs', kind)).map(name => `docs/${kind}/${name}`)),
]

for (const page of pages) {
  for (const line of commandsOf(page)) {
    const how = rows.find(([pattern]) => pattern.test(line))?.[1]
    if (how !== undefined && 'notRun' in how) test(`${page}: ${line} (${how.notRun})`, { skip: true })
    else test(`${page}: ${line}`, () => assertTested(line, how))
  }
}

async function assertTested(line: string, how: Exclude<How, { notRun: string }> | undefined): Promise<void> {
  assert.ok(how !== undefined, 'no row says how this command is tested')
  if (typeof how === 'function') return how(line)
  const [file, words] = how
  assert.ok(readFileSync(join(root, file), 'utf8').includes(words), `${file} does not run ${line}`)
}

test('each row is about a command of a page', () => {
  const lines = pages.flatMap(page => commandsOf(page))
  assert.deepEqual(
    rows.filter(([pattern]) => !lines.some(line => pattern.test(line))),
    [],
  )
})

test('the README has at most 150 lines', () => {
  assert.ok(readFileSync(join(root, 'README.md'), 'utf8').trimEnd().split('\n').length <= 150)
})

const documentation = [...pages, 'SECURITY.md', ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)]
for (const page of documentation.filter(name => name.endsWith('.md'))) {
  test(`what ${page} links to is there`, () => {
    const text = readFileSync(join(root, page), 'utf8')
    const links = [...text.matchAll(/\]\(([^):]+)\)|src="([^"]+)"/g)].map(([, link, source]) => link ?? source ?? '')
    for (const link of links) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      assert.ok(existsSync(join(root, target)), link)
      if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), link)
    }
  })
}

/** The anchors of a page's headings, as forges make them. */
function anchorsOf(page: string): string[] {
  const headings = readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, text = '']) =>
    text
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

for (const page of pages) {
  test(`the Ruby of ${page} has no syntax error`, async () => {
    for (const { text } of blocksOf(page).filter(({ language }) => language === 'ruby')) {
      const { code, stderr } = await run('ruby', ['-c', '-e', text])
      assert.equal(code, 0, stderr)
    }
  })
}

for (const page of ['README.md', 'docs/protocol.md', 'examples/rails/app/models/charging_ledger.rb']) {
  test(`${page} books a message by its key, and names the unique index`, () => {
    const text = readFileSync(join(root, page), 'utf8')
    assert.match(text, /create_or_find_by!\(key:/)
    assert.match(text, /unique\s+(#\s+)?index on `key`/)
  })
}

test('npm pack makes a package that installs and runs in an empty folder, without install scripts', async () => {
  const { scripts } = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')) as { scripts: { prepack: string } }
  assert.equal(scripts.prepack, 'npm run build')
  // The clone was built above, as the README says.
  const packed = await run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', scratch], options)
  assert.equal(packed.code, 0, packed.stderr)
  const tarball = join(scratch, packed.stdout.trim().split('\n').at(-1) ?? '')
  const empty = await mkdtemp(join(dirname(tarball), 'empty-'))
  const flags = ['--silent', '--no-audit', '--no-fund', '--ignore-scripts']
  const installed = await run('npm', ['install', ...flags, '--prefix', empty, tarball], { cwd: empty })
  assert.equal(installed.code, 0, installed.stdout + installed.stderr)
  const version = await run(join(empty, 'node_modules/.bin/ocpp-cable'), ['--version'], { cwd: empty })
  const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual([version.code, version.stdout], [0, `${expected}\n`])
  for (const [name, { why, program }] of installScripts) {
    const used = await run(process.execPath, ['-e', program], { cwd: empty })
    assert.equal(used.code, 0, `${name}: ${why}\n${used.stderr}`)
  }
  await assertServesConsole(empty)
})

/** The page, a script of its own and one of a library, from an installed package. */
async function assertServesConsole(folder: string): Promise<void> {
  const [port, broadcasts, admin] = [await freePort(), await freePort(), await freePort()]
  const flags = [`--port=${port}`, `--http_broadcast_port=${broadcasts}`, `--admin_port=${admin}`]
  const bridge = openProcess(join(folder, 'node_modules/.bin/ocpp-cable'), flags, { ...options, cwd: folder })
  try {
    await bridge.line(/Handle OCPP/)
    for (const path of ['/', '/console/main.js', '/console/vendor/lit-html/lit-html.js'])
      assert.equal((await fetch(`http://127.0.0.1:${admin}${path}`)).status, 200, path)
  } finally {
    await bridge.close()
  }
}
