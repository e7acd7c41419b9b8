/**
 * The container files, read by parsers: no engine runs them here.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { validate } from 'dockerfile-utils'
import { parse } from 'yaml'
import { configOf, imageEnv, type Env } from './support/starts.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

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
  const config = configOf({ env: { ...imageEnv, ...bridge?.environment } })
  assert.equal(config.server.host, '0.0.0.0')
  assert.equal(bridge?.environment?.['ANYCABLE_RPC_HOST'], 'dns:///app:50051')
  assert.equal(app?.environment?.['ANYCABLE_RPC_HOST'], '0.0.0.0:50051')
  assert.equal(app.environment['ANYCABLE_NATS_SERVERS'], bridge.environment['ANYCABLE_NATS_SERVERS'])
  for (const build of [bridge.build, app.build]) assert.ok(existsSync(join(root, build ?? 'none', 'Dockerfile')), build)
})

test('docker-compose.yml runs the bridge without privileges, on a read-only file system', () => {
  type Compose = { services: { bridge: Record<string, unknown> } }
  const { bridge } = (parse(read('docker-compose.yml')) as Compose).services
  assert.deepEqual(
    [bridge['read_only'], bridge['cap_drop'], bridge['security_opt']],
    [true, ['ALL'], ['no-new-privileges:true']],
  )
})
