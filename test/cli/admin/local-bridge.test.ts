import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { announceBridge, findBridges, localHost, runtimeDirectory } from '../../../src/cli/admin/local-bridge.ts'
import { run } from '../../support/process.ts'
import { temporaryDirectory } from '../../support/store.ts'

const url = 'http://127.0.0.1:8091'
const ports = [8080, 8091]
const { pid } = process

function dirsOf(t: TestContext) {
  const env = { XDG_RUNTIME_DIR: temporaryDirectory(t) }
  return { env, runtime: runtimeDirectory(env), stateDir: temporaryDirectory(t) }
}

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const { stdout } = await run(process.execPath, ['-p', 'process.pid'])
  return Number(stdout)
}

test('a bridge is found in the runtime directory and in its state_dir, until it ends', async t => {
  const { env, stateDir } = dirsOf(t)
  const announced = announceBridge({ pid, url, ports }, env, stateDir)
  for (const dir of [null, stateDir])
    assert.deepEqual(findBridges(env, dir), { running: [{ pid, url, ports }], stale: [] })
  await announced.close()
  for (const dir of [null, stateDir]) assert.deepEqual(findBridges(env, dir), { running: [], stale: [] })
})

test('the file is for its owner only, and has its addresses alone', t => {
  const { env, runtime } = dirsOf(t)
  announceBridge({ pid, url, ports }, env, null)
  const file = path.join(runtime, `bridge-${pid}.json`)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(statSync(runtime).mode & 0o777, 0o700)
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { pid, url, ports })
})

test('the file of a bridge that has died is stale, and the next bridge removes it', async t => {
  const { env, runtime } = dirsOf(t)
  announceBridge({ pid: await deadPid(), url, ports }, env, null)
  const { running, stale } = findBridges(env, null)
  assert.deepEqual([running, stale.length], [[], 1])
  announceBridge({ pid, url: null, ports }, env, null)
  assert.deepEqual(readdirSync(runtime), [`bridge-${pid}.json`])
})

for (const text of ['', '{', '7', '{"pid":-1,"url":null}', '{"pid":1,"url":"file:///x"}', '{"pid":1}']) {
  test(`a file with ${text || 'nothing'} in it is stale`, t => {
    const { env, stateDir } = dirsOf(t)
    writeFileSync(path.join(stateDir, 'bridge-1.json'), text)
    writeFileSync(path.join(stateDir, 'other.json'), '{"pid":1,"url":null}')
    assert.deepEqual(findBridges(env, stateDir), { running: [], stale: [path.join(stateDir, 'bridge-1.json')] })
  })
}

test('a file without ports, or with others than numbers, is read without them', t => {
  const { env, stateDir } = dirsOf(t)
  for (const [more, known] of [
    ['', []],
    [',"ports":7', []],
    [',"ports":[1,"2"]', [1]],
  ] as const) {
    writeFileSync(path.join(stateDir, 'bridge-1.json'), `{"pid":${pid},"url":null${more}}`)
    assert.deepEqual(findBridges(env, stateDir).running, [{ pid, url: null, ports: known }])
  }
})

const foreign = [
  ['others may write to it', (dir: string) => chmodSync(dir, 0o777)],
  [
    'it is a link',
    (dir: string) => {
      rmSync(dir, { recursive: true })
      symlinkSync('/tmp', dir)
    },
  ],
] as const
for (const [because, spoil] of foreign) {
  test(`the runtime directory is neither read nor written when ${because}`, t => {
    const { env, runtime } = dirsOf(t)
    mkdirSync(runtime, { mode: 0o700 })
    writeFileSync(path.join(runtime, `bridge-${pid}.json`), JSON.stringify({ pid, url: 'http://evil.example' }))
    spoil(runtime)
    assert.deepEqual(findBridges(env, null), { running: [], stale: [] })
    const before = readdirSync(runtime)
    announceBridge({ pid: pid + 1, url, ports }, env, null)
    assert.deepEqual(readdirSync(runtime), before)
  })
}

test('a bridge starts where no directory can be written', async t => {
  const file = path.join(temporaryDirectory(t), 'file')
  writeFileSync(file, '')
  await announceBridge({ pid, url, ports }, { XDG_RUNTIME_DIR: file }, file).close()
})

test('without XDG_RUNTIME_DIR the directory has the number of the user in its name', () => {
  assert.match(runtimeDirectory({}), new RegExp(`/ocpp-cable-${process.getuid?.()}$`))
})

for (const [host, local] of [
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
  ['192.0.2.1', '192.0.2.1'],
] as const) {
  test(`a server that listens on ${host} is reached by ${local}`, () => {
    assert.equal(localHost(host), local)
  })
}
