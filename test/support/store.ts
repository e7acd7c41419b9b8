/**
 * Stores in directories of their own, from the sources.
 */
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { openStore, type Store } from '../../src/store/store.ts'
import { run } from './process.ts'

const worker = new URL('../../src/store/worker.ts', import.meta.url).href
const tsx = import.meta.resolve('tsx/esm/api')
/** Node 20 does not let `--import tsx` read TypeScript in a worker. */
const code = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(worker)})`
const thread = new URL(`data:text/javascript,${encodeURIComponent(code)}`)

/** A directory that is removed after the test; a bridge that ends only then may still write to it. */
export function temporaryDirectory(t: TestContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }))
  return dir
}

/** A file system of its own, of that many KiB; `null` where it cannot be mounted. */
export async function mountOf(t: TestContext, kib: number): Promise<string | null> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-'))
  const { code } = await run('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', dir])
  t.after(async () => {
    if (code === 0) await run('umount', ['--lazy', dir])
    rmdirSync(dir)
  })
  if (code === 0) return dir
  t.skip('no file system can be mounted here')
  return null
}

export function openSourceStore(dir: string): Promise<Store> {
  return openStore(dir, thread)
}
