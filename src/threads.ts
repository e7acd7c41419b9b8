/**
 * The priority of V8's threads, which collect garbage and compile, and of libuv's, which hash keys and write files: on
 * a shared core, each of them can hold up the event loop for a slice of time (docs/decisions.md). The store's worker
 * starts later and keeps the priority of the event loop: stations wait for it.
 *
 * Not the lowest priority: the event loop sometimes waits for these threads.
 */
import { readdir } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'

/** Linux only: on other systems a priority belongs to the process. */
export async function lowerHelperThreads(): Promise<void> {
  try {
    // The first asynchronous call starts libuv's threads, so they are in the list.
    const threads = (await readdir('/proc/self/task')).map(Number)
    // `/proc` may be that of another PID namespace.
    if (!threads.includes(process.pid)) return
    const priority = Math.max(getPriority(), constants.priority.PRIORITY_BELOW_NORMAL)
    for (const thread of threads) if (thread !== process.pid) setPriority(thread, priority)
  } catch {
    // A thread has ended, or the system forbids it: priorities stay as they are.
  }
}
