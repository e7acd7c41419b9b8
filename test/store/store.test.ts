import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { StoreError, type StoreFault } from '../../src/store/errors.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { openProcess, run } from '../support/process.ts'
import { mountOf, openSourceStore, temporaryDirectory } from '../support/store.ts'
import { allPending, assertKept, outboxMessage } from './messages.ts'

const writer = fileURLToPath(import.meta.resolve('./writer.ts'))
/** No test waits for ever for what does not come. */
const within = { timeout: 60_000 }

async function opened(t: TestContext, dir: string): Promise<Store> {
  const store = await openSourceStore(dir)
  t.after(() => store.close())
  return store
}

function isFault(code: StoreFault, cause = /./): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof StoreError)
    const { message = '' } = (error.cause ?? {}) as { readonly message?: string }
    return error.code === code && cause.test(message)
  }
}

const keep = (store: Store, station: string): Promise<void> => store.call('keepSerialNumber', station, 'SN', 1)

test('operations run in the order of their calls', within, async t => {
  const store = await opened(t, temporaryDirectory(t))
  const [, , early, , late] = await Promise.all([
    keep(store, 'CP1'),
    keep(store, 'CP2'),
    store.call('serialNumbers'),
    keep(store, 'CP3'),
    store.call('serialNumbers'),
  ])
  assert.deepEqual([early.length, late.length], [2, 3])
})

test('a store that is closed finishes what is pending, and leaves one file and the lock', within, async t => {
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  const pending = Array.from({ length: 50 }, (_, at) => keep(store, `CP${at}`))
  await Promise.all([store.close(), store.close(), ...pending])
  assert.deepEqual(readdirSync(dir).sort(), ['ocpp-cable.db', 'ocpp-cable.lock'])
  await assert.rejects(keep(store, 'late'), isFault('io', /closed/))
  const again = await opened(t, dir)
  assert.equal((await again.call('serialNumbers')).length, 50)
})

test('an operation fails at once when 10,000 wait for the disk, and those are served', within, async t => {
  const store = await opened(t, temporaryDirectory(t))
  const first = keep(store, 'first')
  const waiting = Array.from({ length: 10_000 }, () => keep(store, 'next'))
  await assert.rejects(keep(store, 'last'), isFault('io', /does not keep up/))
  await Promise.all([first, ...waiting])
  assert.deepEqual((await store.call('serialNumbers')).length, 2)
})

test('a store cannot be opened by two processes', within, async t => {
  const dir = temporaryDirectory(t)
  await opened(t, dir)
  await assert.rejects(openSourceStore(dir), isFault('locked'))
  const other = await run(process.execPath, ['--import', 'tsx', writer, dir, '1'])
  assert.match(other.stdout, /^locked/)
})

test('a store cannot be opened without its worker', within, async t => {
  const dir = temporaryDirectory(t)
  const missing = new URL('./missing.js', import.meta.url)
  await assert.rejects(openStore(dir, missing), isFault('io', /Cannot find module/))
  assert.deepEqual(readdirSync(dir), [])
})

test('a store cannot be opened when the disk hangs', within, async t => {
  const hanging = new URL('data:text/javascript,setInterval(() => undefined, 1_000)')
  await assert.rejects(openStore(temporaryDirectory(t), hanging, 20), isFault('io', /aborted/))
})

test('every operation fails when the worker dies', within, async t => {
  const dir = temporaryDirectory(t)
  const dying = new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads'
      parentPort.postMessage(null)
      parentPort.on('message', () => { throw new Error('out of luck') })`)}`,
  )
  const store = await openStore(dir, dying)
  const pending = [keep(store, 'CP1'), keep(store, 'CP2')]
  for (const each of pending) await assert.rejects(each, isFault('io', /out of luck/))
  await assert.rejects(keep(store, 'CP3'), isFault('io', /out of luck/))
  await store.close()
})

test(
  'a write fails when the disk is full, reads are served, and writes are again when there is space',
  within,
  async t => {
    const dir = await mountOf(t, 1024)
    if (dir === null) return
    const store = await openSourceStore(dir)
    const filler = path.join(dir, 'filler')
    writeFileSync(filler, Buffer.alloc(512 * 1024))
    let kept = 0
    const fill = async (): Promise<never> => {
      for (; ; kept++) await store.call('keepSerialNumber', `CP${kept}`, 'x'.repeat(5_000), kept)
    }
    await assert.rejects(fill(), isFault('full'))
    assert.ok(kept > 10, `${kept} were kept`)
    assert.equal((await store.call('serialNumbers')).length, kept)
    writeFileSync(filler, '')
    await keep(store, 'at last')
    await store.close()
    const again = await openSourceStore(dir)
    assert.equal((await again.call('serialNumbers')).length, kept + 1)
    await again.close()
  },
)

test('a store is readonly on a file system that is, new or not', within, async t => {
  const dir = await mountOf(t, 1024)
  if (dir === null) return
  const remount = async (mode: string): Promise<void> => {
    assert.equal((await run('mount', ['-o', `remount,${mode}`, dir])).code, 0)
  }
  await remount('ro')
  await assert.rejects(openSourceStore(dir), isFault('readonly'))
  await remount('rw')
  await (await openSourceStore(dir)).close()
  await remount('ro')
  await assert.rejects(openSourceStore(dir), isFault('readonly'))
})

test('a write that the device does not take is never confirmed', within, async t => {
  const dir = temporaryDirectory(t)
  // A limit on the size of files: beyond it, a write fails with EFBIG.
  const limited = `ulimit -f 300 && exec "$0" --import tsx "$1" "$2" 400`
  const { stdout } = await run('bash', ['-c', limited, process.execPath, writer, dir])
  const [end = '', ...confirmed] = stdout.trim().split('\n').reverse()
  assert.match(end, /^io /)
  assert.ok(confirmed.length > 10, `${confirmed.length} confirmed`)
  const store = await opened(t, dir)
  assertKept(confirmed, await allPending(outboxOf(store, Infinity)))
})

test('a write that is not synced is never confirmed', within, async t => {
  const dir = temporaryDirectory(t)
  const library = path.join(dir, 'failing-sync.so')
  const source = path.join(import.meta.dirname, 'failing-sync.c')
  const { code } = await run('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  if (code !== 0) return t.skip('there is no C compiler, or no LD_PRELOAD')
  const fails = path.join(dir, 'fails')
  const env = { LD_PRELOAD: library, FAIL_SYNC: fails }
  const child = openProcess(process.execPath, ['--import', 'tsx', writer, dir, 'forever'], { env })
  await child.line(/./, 100)
  const from = child.lines.length
  writeFileSync(fails, '')
  await child.line(/^io .*disk I\/O error/, from)
  await child.exited
  const store = await opened(t, dir)
  assertKept(child.lines.slice(0, -1), await allPending(outboxOf(store, Infinity)))
})

test(
  'what a store has confirmed is there when its process is killed, at whatever moment',
  { timeout: 120_000 },
  async t => {
    const dir = temporaryDirectory(t)
    const confirmed = new Set<string>()
    for (let round = 0; round < 5; round++) {
      const child = openProcess(process.execPath, ['--import', 'tsx', writer, dir, 'forever'])
      // Not the same moment in each round: between the batches, within one, or while the log goes into the file.
      await child.line(/./)
      await child.line(/./, child.lines.length + 50 + Math.floor(Math.random() * 3_000))
      child.signal('SIGKILL')
      await child.exited
      // The last line may be cut.
      for (const line of child.output.split('\n').slice(0, -1)) confirmed.add(line)
      const store = await openSourceStore(dir)
      const outbox = outboxOf(store, Infinity)
      const messages = await allPending(outbox)
      assertKept(confirmed, messages)
      // The station has not seen all confirmations, and sends its last messages again.
      for (const { id } of messages.slice(-30))
        assert.equal(await outbox.append(outboxMessage(JSON.parse(id) as string)), 'present')
      await store.close()
    }
    assert.ok(confirmed.size > 200, `${confirmed.size} confirmed`)
  },
)
