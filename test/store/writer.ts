/**
 * A process that appends messages to an outbox, many at a time, and prints the id of each when it is confirmed; then
 * the code of the error that has ended it, if one has.
 *
 *   writer.ts DIRECTORY NUMBER|forever [AT-ONCE]
 */
import { StoreError } from '../../src/store/errors.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { openSourceStore } from '../support/store.ts'
import { outboxMessage } from './messages.ts'

const [dir = '', count = '', atOnce = '20'] = process.argv.slice(2)
const limit = count === 'forever' ? Infinity : Number(count)
let written = 0
let hasFailed = false

try {
  const store = await openSourceStore(dir)
  const outbox = outboxOf(store, Infinity)
  const write = async (): Promise<void> => {
    while (written < limit && !hasFailed) {
      const message = outboxMessage(`${process.pid}-${written++}`, { padding: 'x'.repeat(1_000) })
      await outbox.append(message)
      // Synchronous for a pipe on Linux, where the tests kill this process.
      process.stdout.write(`${message.id}\n`)
    }
  }
  const writes = Array.from({ length: Number(atOnce) }, write)
  await Promise.all(writes).catch(() => (hasFailed = true))
  await Promise.allSettled(writes)
  // SQLite's binding aborts a process that exits while a statement fails.
  await store.close()
  await Promise.all(writes)
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  process.stdout.write(`${error.code} ${error.message} ${String(error.cause)}\n`)
  process.exitCode = 1
}
