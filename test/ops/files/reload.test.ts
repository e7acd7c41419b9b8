import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openReloads } from '../../../src/ops/files/reload.ts'

/** Two files that are loaded together, of which neither may say `broken`. */
function open(t: TestContext, everyMs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-reload-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const files = [join(folder, 'cert'), join(folder, 'key')] as const
  for (const file of files) writeFileSync(file, '1')
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const write = (fields: object, message: string): void => {
    lines.push(`${message} ${(fields as { part: string }).part}`)
    for (const look of waiting) look()
  }
  const loaded: string[] = []
  const reloads = openReloads({ info: write, warn: write }, everyMs)
  t.after(() => reloads.close())
  reloads.watch({
    part: 'pair',
    files,
    load: async () => {
      const texts = files.map(file => readFileSync(file, 'utf8')).join('')
      await Promise.resolve()
      if (texts.includes('broken')) throw new Error(texts)
      loaded.push(texts)
    },
  })
  const logged = (count: number): Promise<void> =>
    new Promise(resolve => {
      const look = (): void => {
        if (lines.length >= count) resolve()
      }
      waiting.add(look)
      look()
    })
  return { folder, files, reloads, lines, loaded, logged }
}

const never = 1_000_000_000
const kept = 'could not reload: what was loaded before stays in effect pair'

test('reload loads every part, changed or not, and keeps the old state with one line when a file is broken', async t => {
  const { files, reloads, lines, loaded } = open(t, never)
  reloads.watch({ part: 'other', files: [], load: () => void loaded.push('other') })
  await reloads.reload()
  assert.deepEqual(loaded, ['11', 'other'])
  writeFileSync(files[0], 'broken')
  await reloads.reload()
  assert.deepEqual(loaded, ['11', 'other', 'other'])
  rmSync(files[0])
  await reloads.reload()
  assert.deepEqual(lines, ['reloaded pair', 'reloaded other', kept, 'reloaded other', kept, 'reloaded other'])
})

const changes: readonly (readonly [how: string, change: (file: string, folder: string) => void])[] = [
  ['is written', file => writeFileSync(file, '22')],
  [
    'is replaced by a rename',
    (file, folder) => {
      writeFileSync(join(folder, 'new'), '22')
      renameSync(join(folder, 'new'), file)
    },
  ],
  [
    'is behind a symlink that is swapped, as Kubernetes does',
    (file, folder) => {
      mkdirSync(join(folder, 'data'))
      writeFileSync(join(folder, 'data/cert'), '22')
      symlinkSync(join(folder, 'data'), join(folder, '..data'))
      rmSync(file)
      symlinkSync('..data/cert', file)
    },
  ],
]
for (const [how, change] of changes) {
  test(`a part is loaded once when one of its files ${how}`, async t => {
    const { folder, files, loaded, logged, reloads, lines } = open(t, 5)
    change(files[0], folder)
    await logged(1)
    await reloads.close()
    assert.deepEqual([loaded, lines], [['221'], ['reloaded pair']])
  })
}

test('a part is not loaded again until its files change when its load failed', async t => {
  const { files, loaded, logged, lines } = open(t, 5)
  writeFileSync(files[1], 'broken')
  await logged(1)
  writeFileSync(files[1], '333')
  await logged(2)
  assert.deepEqual([loaded, lines], [['1333'], [kept, 'reloaded pair']])
})

const within = { timeout: 10_000 }

/** A part that loads until it is let on. */
function openGated(t: TestContext) {
  const reloads = openReloads({ info: () => undefined, warn: () => undefined }, never)
  t.after(() => reloads.close())
  const started: (() => void)[] = []
  const starting = new Set<() => void>()
  const load = (): Promise<void> =>
    new Promise(resolve => {
      started.push(resolve)
      for (const look of starting) look()
    })
  reloads.watch({ part: 'gated', files: [], load })
  /** Resolves when the load has begun, with what ends it. */
  const begun = (number: number): Promise<() => void> =>
    new Promise(resolve => {
      const look = (): void => {
        const end = started[number - 1]
        if (end !== undefined) resolve(end)
      }
      starting.add(look)
      look()
    })
  return { reloads, started, begun }
}

test('a thousand reloads while one runs are one more, which reads what has changed meanwhile', within, async t => {
  const { reloads, started, begun } = openGated(t)
  const first = reloads.reload()
  const endFirst = await begun(1)
  const storm = Array.from({ length: 1_000 }, () => reloads.reload())
  endFirst()
  await first
  ;(await begun(2))()
  await Promise.all(storm)
  assert.equal(started.length, 2)
  const next = reloads.reload()
  ;(await begun(3))()
  await next
  assert.equal(started.length, 3)
})

test('close waits for the load that runs, and nothing is loaded after it', within, async t => {
  const { reloads, started, begun } = openGated(t)
  reloads.watch({ part: 'other', files: [], load: () => assert.fail('loaded') })
  const asked = [reloads.reload()]
  const end = await begun(1)
  asked.push(reloads.reload())
  const closing = reloads.close()
  asked.push(reloads.reload())
  end()
  await Promise.all([closing, ...asked])
  await reloads.reload()
  assert.equal(started.length, 1)
})
