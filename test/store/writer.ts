/**
 * A process that writes to a store, many at a time, and prints the station of each write when it is confirmed; then the
 * code of the error that has ended it, if one has.
 *
 *   writer.ts DIRECTORY NUMBER|forever
 */
import { writeSync } from 'node:fs'
import { StoreError } from '../../src/store/errors.ts'
import { openSourceStore } from '../support/store.ts'

const [dir = '', count = ''] = process.argv.slice(2)
const atOnce = 20
const limit = count === 'forever' ? Infinity : Number(count)
let written = 0

try {
  const store = await openSourceStore(dir)
  const writes = Array.from({ length: atOnce }, async () => {
    while (written < limit) {
      const station = `${process.pid}-${written++}`
      await store.call('keepSerialNumber', station, 'x'.repeat(1_000), written)
      // Not by console.log: nothing may be left in a buffer when the process is killed.
      writeSync(1, `${station}\n`)
    }
  })
  await Promise.all(writes)
  await store.close()
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  writeSync(1, `${error.code} ${error.message}\n`)
  process.exit(1)
}
