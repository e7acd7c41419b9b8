/**
 * The output of the log. It writes each line at once while its reader keeps up, so that a crash loses none. A pipe that
 * is not read fills up, and must not stop the program: lines then wait in memory, and beyond a limit they are dropped.
 */
import { writevSync } from 'node:fs'

export type Write = (fd: number, chunks: readonly Uint8Array[]) => number

/** In bytes. A message that is logged whole may have a megabyte; a line that is longer than this is always dropped. */
const maxWaiting = 8 * 1024 * 1024
/** How many lines one call to the system takes, which is Linux' own limit (`IOV_MAX`). */
const maxChunks = 1024
const retryMs = 50
/** How long the end of the process waits for the reader. */
const flushMs = 2_000

export class Output {
  readonly #fd: number
  readonly #write: Write
  readonly #onCaughtUp: (dropped: number) => void
  #waiting: Uint8Array[] = []
  #bytes = 0
  /** Since the last line that was written. */
  #dropped = 0
  #isFull = false
  #retry: NodeJS.Timeout | null = null
  #count: () => void = () => undefined

  /**
   * @param fd does not block: see `openStdout`
   * @param onCaughtUp is called once nothing waits any more after lines were dropped
   */
  constructor(fd: number, onCaughtUp: (dropped: number) => void, write: Write = writevSync) {
    this.#fd = fd
    this.#onCaughtUp = onCaughtUp
    this.#write = write
  }

  /** Calls `count` for each line that is dropped from now on. */
  countDrops(count: () => void): void {
    this.#count = count
  }

  /** Whether a line found no room, and nothing was read since: the next one may be dropped without being made. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Counts a line that is not written because it `isFull`. */
  drop(): void {
    this.#dropped++
    this.#count()
  }

  /** Never blocks and never throws. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#bytes + bytes.length > maxWaiting) {
      // A line that is longer than the limit says nothing of the room that is left.
      if (bytes.length <= maxWaiting) this.#isFull = true
      return this.drop()
    }
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
    if (this.#retry === null) this.#send()
  }

  /** Waits for the reader, but not for one that does not read: for the end of the process. */
  flush(): void {
    const sleeping = new Int32Array(new SharedArrayBuffer(4))
    const deadline = performance.now() + flushMs
    while (!this.#isSent() && performance.now() < deadline) Atomics.wait(sleeping, 0, 0, retryMs / 5)
  }

  #send(): void {
    this.#retry = null
    if (!this.#isSent()) this.#retry = setTimeout(() => this.#send(), retryMs).unref()
    else if (this.#dropped > 0) {
      const dropped = this.#dropped
      this.#dropped = 0
      this.#onCaughtUp(dropped)
    }
  }

  /**
   * Writes what the reader takes. A full disk may have room again later, so every error is one of a reader that does
   * not read.
   */
  #isSent(): boolean {
    try {
      while (this.#waiting.length > 0) this.#remove(this.#write(this.#fd, this.#waiting.slice(0, maxChunks)))
      return true
    } catch {
      return false
    }
  }

  /** Removes bytes that are written; the last line of them may be written in part. */
  #remove(written: number): void {
    this.#bytes -= written
    this.#isFull = false
    let left = written
    let whole = 0
    for (const { length } of this.#waiting) {
      if (length > left) break
      left -= length
      whole++
    }
    this.#waiting.splice(0, whole)
    const [partly] = this.#waiting
    if (left > 0 && partly !== undefined) this.#waiting[0] = partly.subarray(left)
  }
}

/** Standard output, until the process ends. */
export function openStdout(onCaughtUp: (dropped: number) => void): Output {
  // Opening the stream sets a pipe to non-blocking, until the end of the process. Nothing is written to the stream.
  const { fd } = process.stdout
  const output = new Output(fd, onCaughtUp)
  process.once('exit', () => output.flush())
  return output
}
