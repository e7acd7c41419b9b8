/**
 * The store's thread: opens the database, then answers one batch of requests after another. A disk that hangs holds up
 * this thread only.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { failureOf, runBatch, type Failure, type Reply, type Request } from './batch.ts'
import { openDatabase } from './database.ts'
import { operationsOn } from './operations.ts'

export type ToWorker = { readonly batch: readonly Request[] } | 'close'
/** The worker's first message; each later one has the replies to a batch. */
export type Opened = Failure | null

function serve(dir: string): void {
  const post = (message: Opened | readonly Reply[]): void => parentPort?.postMessage(message)
  try {
    const database = openDatabase(dir)
    const operations = operationsOn(database)
    parentPort?.on('message', (message: ToWorker) => {
      if (message !== 'close') return post(runBatch(database, operations, message.batch))
      database.close()
      parentPort?.close()
    })
    post(null)
  } catch (error) {
    post(failureOf(error))
  }
}

serve((workerData as { readonly dir: string }).dir)
