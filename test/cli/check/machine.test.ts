import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { certificateProbe, filesProbe, portProbe, portsOf, stateProbe } from '../../../src/cli/check/machine.ts'
import { resolve } from '../../../src/config/resolve.ts'
import { openDatabase } from '../../../src/store/database.ts'
import { makeKeyPair } from '../../support/certificate.ts'
import { freePort } from '../../support/ports.ts'
import { temporaryDirectory } from '../../support/store.ts'

const dayMs = 86_400_000

async function filesOf(t: TestContext) {
  const { cert, key } = await makeKeyPair()
  const dir = temporaryDirectory(t)
  const files = { cert: path.join(dir, 'crt'), key: path.join(dir, 'key') }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
  return files
}

test('a certificate that is about to expire is a warning, later it fails, and before its time too', async t => {
  const { cert, key } = await filesOf(t) // valid for two days
  const at = (days: number) => certificateProbe(cert, key, Date.now() + days * dayMs)
  assert.equal(at(0).status, 'warn')
  assert.match(at(0).found, /match; valid until \d{4}-\d\d-\d\d, 1 days; IP Address:127\.0\.0\.1$/)
  assert.equal(at(-29).status, 'fail')
  assert.match(at(-29).found, /is not valid before/)
  assert.equal(at(3).status, 'fail')
  assert.match(at(3).found, /expired on/)
})

test('a key of another certificate fails, and so does a file that is missing', async t => {
  const [one, other] = [await filesOf(t), await filesOf(t)]
  assert.match(certificateProbe(one.cert, other.key, Date.now()).found, /do not match/)
  assert.match(certificateProbe(one.cert, `${one.key}x`, Date.now()).found, /keyx cannot be read/)
})

function configOf(...argv: readonly string[]) {
  const resolution = resolve({ argv, env: {}, file: null, nodeId: 'test' })
  assert.ok(resolution.ok)
  return resolution.config
}

test('portsOf has the ports that the bridge listens on, and no others', () => {
  const names = (...argv: readonly string[]) =>
    portsOf(configOf(...argv)).map(({ option, port }) => `${option} ${port}`)
  assert.deepEqual(names(), ['port 8080', 'http_broadcast_port 8090'])
  assert.deepEqual(names('--port=0', '--nats_servers=nats://a:1', '--metrics_http=/m', '--metrics_port=9'), ['metrics_port 9']) // prettier-ignore
  assert.deepEqual(names('--broadcast_key=k', '--admin_port=7'), ['port 8080', 'admin_port 7'])
  assert.deepEqual(names('--broadcast_key=k'), ['port 8080'], 'broadcasts on the port of the stations')
})

test('a port is free, or in use, and stays free after the check', async t => {
  const port = await freePort()
  const probe = (pid: number | null = null) => portProbe({ option: 'port', host: '127.0.0.1', port }, pid)
  assert.equal((await probe()).status, 'ok')
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { status, found } = await probe()
  assert.deepEqual([status, found], ['fail', `127.0.0.1:${port}: another program listens there`])
  const beside = await probe(7)
  assert.deepEqual(
    [beside.status, beside.found],
    ['skip', `127.0.0.1:${port} is in use by the bridge that runs, pid 7`],
  )
})

test('an address of another machine fails', async () => {
  const { status, found } = await portProbe({ option: 'port', host: '192.0.2.1', port: await freePort() }, null)
  assert.equal(status, 'fail')
  assert.match(found, /this machine has no such address/)
})

const files = [
  [0, { limit: 20_000, open: 20 }, 'ok', '20000 open files, room for 19880 stations', 'an ample limit'],
  [0, { limit: 1_024, open: 24 }, 'warn', '1024 open files, room for 900 stations', 'a low limit'],
  [
    500,
    { limit: 1_024, open: 24 },
    'ok',
    '1024 open files, room for 900 stations, max-conn is 500',
    'room for max-conn',
  ],
  [
    1_000,
    { limit: 1_024, open: 24 },
    'fail',
    'max-conn is 1000, but the limit of 1024 open files leaves room for 900 stations',
    'no room for max-conn',
  ],
  [0, null, 'skip', 'the limit of open files cannot be read on this system', 'no /proc'],
] as const
for (const [maxConn, open, status, found, because] of files) {
  test(`the limit of open files is ${status} for max-conn=${maxConn}: ${because}`, () => {
    const finding = filesProbe(maxConn, open)
    assert.deepEqual([finding.status, finding.found], [status, found])
  })
}

test('state_dir is writable and free, or in use by a bridge; nothing stays behind', async t => {
  const dir = temporaryDirectory(t)
  assert.deepEqual(await stateProbe(dir, null), { status: 'ok', found: `${dir} is writable and free`, fix: null })
  assert.deepEqual(readdirSync(dir), [])
  const database = openDatabase(dir)
  t.after(() => database.close())
  const inUse = await stateProbe(dir, null)
  assert.deepEqual([inUse.status, inUse.found], ['fail', `${dir} is in use by another process`])
  assert.equal((await stateProbe(dir, 7)).status, 'skip')
  database.close()
  const before = readdirSync(dir)
  assert.equal((await stateProbe(dir, null)).status, 'ok')
  assert.deepEqual(readdirSync(dir), before)
})

test('a state_dir that is missing will be made, and is not made by the check', async t => {
  const parent = temporaryDirectory(t)
  const dir = path.join(parent, 'a', 'b')
  const { status, found } = await stateProbe(dir, null)
  assert.deepEqual([status, found], ['ok', `${dir} will be made in ${parent}`])
  assert.equal(existsSync(path.join(parent, 'a')), false)
})

test('a state_dir that cannot be written fails', async t => {
  const dir = temporaryDirectory(t)
  const file = path.join(dir, 'file')
  writeFileSync(file, '')
  chmodSync(file, 0o600)
  assert.equal((await stateProbe(file, null)).status, 'fail')
  assert.equal((await stateProbe('/proc/none', null)).status, 'fail')
  assert.equal((await stateProbe(null, null)).status, 'skip')
})
