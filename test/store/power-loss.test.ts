/**
 * The store's process dies at a named step of a commit, and the disk keeps all that was written, or loses what was not
 * synced, or a part of it (`power-loss.c`). What was confirmed is there, and the store opens.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'

import { fileURLToPath } from 'node:url'
import type { StoredMessage } from '../../src/session/ports.ts'
import { openDatabase } from '../../src/store/database.ts'
import { outboxOperationsOn } from '../../src/store/outbox-operations.ts'
import { run } from '../support/process.ts'
import { temporaryDirectory } from '../support/store.ts'
import { assertKept, outboxMessage } from './messages.ts'

const within = { timeout: 60_000 }
const writer = fileURLToPath(import.meta.resolve('./writer.ts'))
/** A disk writes whole sectors. */
const sectorBytes = 512
const mixtures = 20

let build = ''
let hasLibrary = false

before(async () => {
  build = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-'))
  const source = path.join(import.meta.dirname, 'power-loss.c')
  const { code } = await run('cc', ['-shared', '-fPIC', '-o', path.join(build, 'power-loss.so'), source, '-ldl'])
  hasLibrary = code === 0
})

after(() => rmSync(build, { recursive: true }))

type Files = Readonly<Record<'ocpp-cable.db' | 'ocpp-cable.db-wal', Buffer>>

/** Appends one message after another until the process dies at that step. */
async function died(t: TestContext, step: string) {
  const [dir, synced] = [temporaryDirectory(t), temporaryDirectory(t)]
  const env = { LD_PRELOAD: path.join(build, 'power-loss.so'), SYNCED: synced, KILL_AT: step }
  const { signal, stdout } = await run(process.execPath, ['--import', 'tsx', writer, dir, '3000', '1'], { env })
  assert.equal(signal, 'SIGKILL')
  const confirmed = stdout.trim().split('\n')
  assert.ok(confirmed.length >= 20, `${confirmed.length} confirmed`)
  const [process_ = ''] = (JSON.parse(confirmed[0] ?? '') as string).split('-')
  const written = filesIn(dir, 'ocpp-cable.db', 'ocpp-cable.db-wal')
  const kept = filesIn(synced, 'db', 'wal')
  return { confirmed, inFlight: `${process_}-${confirmed.length}`, written, kept }
}

function filesIn(dir: string, database: string, log: string): Files {
  const read = (name: string) => readFileSync(path.join(dir, name))
  return { 'ocpp-cable.db': read(database), 'ocpp-cable.db-wal': read(log) }
}

/** Opens a store whose disk has these files: what it confirmed is there. */
function reopened(t: TestContext, files: Files, confirmed: readonly string[], inFlight: string) {
  const dir = path.join(temporaryDirectory(t), 'dir')
  mkdirSync(dir)
  for (const [name, bytes] of Object.entries(files)) writeFileSync(path.join(dir, name), bytes)
  const database = openDatabase(dir)
  const { pendingOf, append } = outboxOperationsOn(database)
  const messages: StoredMessage[] = []
  for (let page = pendingOf('CP1', 0); page.length > 0; page = pendingOf('CP1', messages.at(-1)?.seq ?? 0))
    messages.push(...page)
  assertKept(confirmed, messages)
  // The station sends it again.
  const isThere = append(outboxMessage(inFlight), Infinity) === 'present'
  assert.equal(messages.length, confirmed.length + (isThere ? 1 : 0))
  database.close()
  return isThere
}

/** Some sectors as they were written, the others as they were last synced; the length of the one or the other. */
function mixed(written: Buffer, kept: Buffer, random: () => number): Buffer {
  const length = random() < 0.5 ? written.length : kept.length
  const bytes = Buffer.alloc(length)
  for (let from = 0; from < length; from += sectorBytes)
    bytes.set((random() < 0.5 ? written : kept).subarray(from, Math.min(from + sectorBytes, length)), from)
  return bytes
}

/** Numbers from 0 to 1, the same in each run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mix = Math.imul(state ^ (state >>> 15), 1 | state)
    mix = (mix + Math.imul(mix ^ (mix >>> 7), 61 | mix)) ^ mix
    return ((mix ^ (mix >>> 14)) >>> 0) / 2 ** 32
  }
}

const steps = [
  ['wal-write:30', false, false, 'before its write'],
  ['wal-half:30', false, false, 'within its write'],
  ['wal-sync:30', true, false, 'after its write, before the sync'],
  ['wal-synced:30', true, true, 'after the sync, before the reply'],
  ['db-write:9', true, true, 'while the log goes into the file'],
] as const
for (const [step, isThereAfterKill, isThereAfterLoss, when] of steps) {
  test(`a store keeps what it has confirmed when it is killed, or loses power, ${when}`, within, async t => {
    if (!hasLibrary) return t.skip('there is no C compiler')
    const { confirmed, inFlight, written, kept } = await died(t, step)
    assert.equal(reopened(t, written, confirmed, inFlight), isThereAfterKill)
    assert.equal(reopened(t, kept, confirmed, inFlight), isThereAfterLoss)
    for (let seed = 1; seed <= mixtures; seed++) {
      const random = randomFrom(seed)
      const files = {
        'ocpp-cable.db': mixed(written['ocpp-cable.db'], kept['ocpp-cable.db'], random),
        'ocpp-cable.db-wal': mixed(written['ocpp-cable.db-wal'], kept['ocpp-cable.db-wal'], random),
      }
      const isThere = reopened(t, files, confirmed, inFlight)
      if (isThereAfterLoss) assert.equal(isThere, true)
    }
  })
}
