/**
 * The store on disk, as the rest of the program sees it: operations by name, each of which resolves when what it wrote
 * is synced. SQLite runs in a worker, so a slow disk delays the operations and nothing else.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Failure, Reply, Request } from './batch.ts'
import { StoreError } from './errors.ts'
import type { Operations } from './operations.ts'
import type { Opened, ToWorker } from './worker.ts'

type Pending = {
  readonly request: Request
  readonly resolve: (value: unknown) => void
  readonly reject: (error: StoreError) => void
}

/** Beyond them, an operation fails at once: the disk does not keep up. */
const maxPending = 10_000
/** An outbox of 1 GiB is checked in 3 s on a fast disk, in 20 s on a slow one. */
const usualOpenMs = 60_000

/**
 * Opens the store of a directory, which is made if it is missing. Rejects with `StoreError`.
 *
 * @param thread the compiled `worker.ts`
 * @param withinMs a disk that hangs rejects after that time
 */
export async function openStore(
  dir: string,
  thread = new URL('./worker.js', import.meta.url),
  withinMs = usualOpenMs,
): Promise<Store> {
  const worker = new Worker(thread, { workerData: { dir } })
  const opening = once(worker, 'message', { signal: AbortSignal.timeout(withinMs) })
  const [message] = (await opening.catch((error: unknown) => {
    // Not awaited: a thread ends when the disk has replied to it.
    void worker.terminate()
    throw new StoreError('io', dir, { cause: error })
  })) as [Opened]
  if (message === null) return new Store(dir, worker)
  await worker.terminate()
  throw errorFor(message, dir)
}

export class Store {
  readonly #dir: string
  readonly #worker: Worker
  readonly #exited: Promise<unknown>
  /** What the worker is at work on: one batch at a time, so that the next one takes along all that comes meanwhile. */
  #running: readonly Pending[] = []
  #waiting: Pending[] = []
  #isClosing = false
  /** Why nothing can be stored any more. */
  #end: StoreError | null = null

  constructor(dir: string, worker: Worker) {
    this.#dir = dir
    this.#worker = worker
    worker.on('message', (replies: readonly Reply[]) => this.#onReplies(replies))
    worker.once('error', error => this.#fail(error))
    this.#exited = new Promise(resolve => worker.once('exit', resolve))
    void this.#exited.then(() => this.#fail(new Error('the store is closed')))
  }

  /** Operations that wait for those under way. */
  get queue(): { readonly size: number; readonly limit: number } {
    return { size: this.#waiting.length, limit: maxPending }
  }

  /**
   * Runs an operation; operations run in the order of their calls. Rejects with `StoreError`: then nothing of it is
   * kept, or it is not known to be on the disk.
   */
  call<Name extends keyof Operations>(
    name: Name,
    ...args: Parameters<Operations[Name]>
  ): Promise<ReturnType<Operations[Name]>> {
    return new Promise((resolve, reject) => {
      const end = this.#end ?? (this.#waiting.length >= maxPending ? this.#error('the disk does not keep up') : null)
      if (end !== null) return reject(end)
      this.#waiting.push({ request: { name, args } as Request, resolve: resolve as Pending['resolve'], reject })
      this.#runNext()
    })
  }

  /** Finishes what is pending. May be called twice. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#runNext()
    await this.#exited
  }

  #runNext(): void {
    if (this.#running.length > 0 || this.#end !== null) return
    if (this.#waiting.length > 0) {
      this.#running = this.#waiting
      this.#waiting = []
      return this.#post({ batch: this.#running.map(({ request }) => request) })
    }
    if (this.#isClosing) this.#post('close')
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #onReplies(replies: readonly Reply[]): void {
    const settled = this.#running
    this.#running = []
    settled.forEach(({ resolve, reject }, at) => {
      const reply = replies[at]
      if (reply === undefined) reject(this.#error('the worker did not reply'))
      else if ('value' in reply) resolve(reply.value)
      else reject(errorFor(reply, this.#dir))
    })
    this.#runNext()
  }

  #fail(cause: Error): void {
    this.#end ??= new StoreError('io', this.#dir, { cause })
    const lost = [...this.#running, ...this.#waiting]
    this.#running = []
    this.#waiting = []
    for (const { reject } of lost) reject(this.#end)
  }

  #error(cause: string): StoreError {
    return new StoreError('io', this.#dir, { cause: new Error(cause) })
  }
}

function errorFor({ fault, cause }: Failure, dir: string): StoreError {
  return new StoreError(fault, dir, cause === null ? {} : { cause: new Error(cause) })
}
