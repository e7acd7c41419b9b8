/**
 * What a file may be replaced by, by mistake or on purpose.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { run } from './process.ts'

export type Replacement = {
  readonly name: string
  /** Removes the file first. */
  readonly replace: (file: string) => Promise<void> | void
  /** Why it cannot be read; `null` for an empty file, which can. */
  readonly problem: RegExp | null
}

const notRegular = /it is not a regular file/

const all: readonly Replacement[] = [
  { name: 'a FIFO', replace: makeFifo, problem: notRegular },
  { name: 'a directory', replace: file => mkdirSync(file), problem: notRegular },
  { name: 'a socket', replace: makeSocket, problem: notRegular },
  { name: 'a symlink to /dev/zero', replace: file => symlinkSync('/dev/zero', file), problem: notRegular },
  { name: 'a file that is too large', replace: makeLarge, problem: /it is larger than 32 MiB/ },
  { name: 'an empty file', replace: file => writeFileSync(file, ''), problem: null },
  { name: 'a file that may not be read', replace: makeUnreadable, problem: /EACCES/ },
  { name: 'nothing', replace: () => undefined, problem: /ENOENT/ },
]

/** Root may read all files. */
export const replacements = all
  .filter(({ replace }) => replace !== makeUnreadable || process.getuid?.() !== 0)
  .map(({ replace, ...rest }) => ({
    ...rest,
    replace: async (file: string) => {
      rmSync(file, { recursive: true, force: true })
      await replace(file)
    },
  }))

async function makeFifo(file: string): Promise<void> {
  const { code, stderr } = await run('mkfifo', [file])
  assert.equal(code, 0, stderr)
}

async function makeSocket(file: string): Promise<void> {
  // A server removes its socket when it closes, by the name that it has given.
  const server = createServer().listen(`${file}.sock`)
  await once(server, 'listening')
  renameSync(`${file}.sock`, file)
  server.close()
  await once(server, 'close')
}

function makeLarge(file: string): void {
  writeFileSync(file, '')
  truncateSync(file, 32 * 2 ** 20 + 1)
}

function makeUnreadable(file: string): void {
  writeFileSync(file, 'secret')
  chmodSync(file, 0)
}
