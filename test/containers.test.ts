/**
 * The container files, read by parsers: no engine runs them here.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { validate } from 'dockerfile-utils'
import { parse, parseAllDocuments } from 'yaml'
import { resolve } from '../src/config/resolve.ts'
import { run } from './support/process.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const configurationPage = read('docs/configuration.md')

type Env = Readonly<Record<string, string>>

const imageEnv: Env = Object.fromEntries(
  Array.from(read('Dockerfile').matchAll(/(ANYCABLE_\w+)=(\S+)/g), ([, name = '', value = '']) => [name, value]),
)

/** An environment is right if every name in it is an option's, and the bridge starts with it in its image. */
function assertConfigures(given: Env): void {
  const env = { ...imageEnv, ...given }
  assert.equal(env['ANYCABLE_HOST'], '0.0.0.0')
  for (const name of Object.keys(env)) assert.ok(configurationPage.includes(`\`${name}\``), `${name} is no option`)
  const resolution = resolve({ argv: [], env, file: null, nodeId: 'test' })
  assert.deepEqual(resolution.ok ? [] : resolution.problems, [])
  assert.deepEqual(resolution.warnings, [])
}

for (const file of ['Dockerfile', 'examples/rails/Dockerfile']) {
  const dockerfile = read(file)

  test(`${file} is one: a parser finds nothing wrong`, () => {
    assert.deepEqual(
      validate(dockerfile).map(problem => problem.message),
      [],
    )
  })

  test(`${file} does not run as root`, () => {
    assert.match(dockerfile, /^USER (?!root)\w+/m)
  })
}

test('the Dockerfile copies files that are there, and checks the health of what it starts', () => {
  const dockerfile = read('Dockerfile')
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) =>
    sources.split(' '),
  )
  assert.ok(copied.length > 5)
  for (const source of copied) assert.ok(existsSync(join(root, source)), source)
  assert.match(dockerfile, /HEALTHCHECK[\s\S]*\/health/)
  assert.equal(dockerfile.match(/^FROM /gm)?.length, 2)
})

test('docker-compose.yml has the bridge, the app and NATS, which find each other by name', () => {
  type Service = { build?: string; image?: string; environment?: Env; depends_on?: string[] }
  const { services } = parse(read('docker-compose.yml')) as { services: Record<string, Service> }
  assert.deepEqual(Object.keys(services).sort(), ['app', 'bridge', 'nats'])
  const { bridge, app } = services
  assertConfigures(bridge?.environment ?? {})
  assert.equal(bridge?.environment?.['ANYCABLE_RPC_HOST'], 'dns:///app:50051')
  assert.equal(app?.environment?.['ANYCABLE_RPC_HOST'], '0.0.0.0:50051')
  assert.equal(app.environment['ANYCABLE_NATS_SERVERS'], bridge.environment['ANYCABLE_NATS_SERVERS'])
  for (const build of [bridge.build, app.build]) assert.ok(existsSync(join(root, build ?? 'none', 'Dockerfile')), build)
})

test('the Kamal example configures the bridge', () => {
  type Deploy = { accessories: Record<string, { env?: { clear: Env } }> }
  const { accessories } = parse(read('examples/deploy/kamal.yml')) as Deploy
  assertConfigures(accessories['ocpp-cable']?.env?.clear ?? {})
})

test('the Kubernetes example configures the bridge, and leaves it time to end', () => {
  type Container = { name: string; env: { name: string; value: string }[] }
  type Pod = { terminationGracePeriodSeconds: number; containers: Container[] }
  const documents = parseAllDocuments(read('examples/deploy/kubernetes.yml'))
  assert.deepEqual(
    documents.flatMap(({ errors }) => errors),
    [],
  )
  const [deployment, service] = documents.map(
    document => document.toJS() as { kind: string; spec: { template: { spec: Pod } } },
  )
  assert.deepEqual([deployment?.kind, service?.kind], ['Deployment', 'Service'])
  const pod = deployment?.spec.template.spec
  const bridge = pod?.containers.find(({ name }) => name === 'ocpp-cable')
  assertConfigures(Object.fromEntries(bridge?.env.map(({ name, value }) => [name, value]) ?? []))
  assert.ok((pod?.terminationGracePeriodSeconds ?? 0) > 30)
})

test('every example runs the bridge without privileges, on a read-only file system', () => {
  type Compose = { services: { bridge: Record<string, unknown> } }
  const { bridge } = (parse(read('docker-compose.yml')) as Compose).services
  assert.deepEqual(
    [bridge['read_only'], bridge['cap_drop'], bridge['security_opt']],
    [true, ['ALL'], ['no-new-privileges:true']],
  )
  type Kamal = { accessories: Record<string, { options: Record<string, unknown> }> }
  const { options } = (parse(read('examples/deploy/kamal.yml')) as Kamal).accessories['ocpp-cable'] ?? {}
  assert.deepEqual(
    [options?.['read-only'], options?.['cap-drop'], options?.['security-opt']],
    [true, 'ALL', 'no-new-privileges'],
  )
  type Context = Record<string, unknown>
  type Deployment = { spec: { template: { spec: { containers: { name: string; securityContext?: Context }[] } } } }
  const [deployment] = parseAllDocuments(read('examples/deploy/kubernetes.yml'))
  const { containers } = (deployment?.toJS() as Deployment).spec.template.spec
  const { securityContext } = containers.find(({ name }) => name === 'ocpp-cable') ?? {}
  assert.deepEqual(securityContext, {
    runAsNonRoot: true,
    runAsUser: 1000,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  })
})

const hasSystemd = (await run('systemd-analyze', ['--version'])).code === 0

test('the systemd unit is one, and is hardened', { skip: !hasSystemd }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-unit-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const unit = read('examples/deploy/ocpp-cable.service')
  const file = join(folder, 'ocpp-cable.service')
  // The program is not installed here.
  writeFileSync(file, unit.replace('/usr/bin/ocpp-cable', '/bin/true'))
  const verified = await run('systemd-analyze', ['verify', file])
  assert.deepEqual([verified.code, verified.stderr], [0, ''])
  // Of 100; below 20 is what systemd calls OK.
  const rated = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file])
  assert.equal(rated.code, 0, rated.stdout)
  const [, environment = ''] = /^Environment=(.*)$/m.exec(unit) ?? []
  const variables = environment.split(' ').map(each => each.split('=') as [string, string])
  const options = variables.filter(([name]) => name.startsWith('ANYCABLE_'))
  assertConfigures({ ...Object.fromEntries(options), ANYCABLE_NATS_SERVERS: 'nats://nats:4222' })
})
