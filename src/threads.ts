/**
 * The priority of the process's other threads: V8's, which collect garbage and compile, and libuv's, which hash keys
 * and write files. Where they share a core with the event loop, it waits for each of them for a slice of the kernel's
 * scheduler, some 4 ms at a time.
 *
 * Not the lowest priority: the event loop sometimes waits for one of them to finish, which beside a busy program then
 * takes up to half a second.
 */
import { readdir } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'

const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority

/** Linux only: elsewhere, a priority is that of a process. */
export async function putEventLoopFirst(): Promise<void> {
  // Asynchronous: libuv starts its threads with the first such call.
  const threads = await readdir('/proc/self/task').catch(() => [])
  const priority = Math.min(getPriority() + PRIORITY_BELOW_NORMAL, PRIORITY_LOW)
  for (const thread of threads.map(Number)) if (thread !== process.pid) lower(thread, priority)
}

function lower(thread: number, priority: number): void {
  try {
    setPriority(thread, priority)
  } catch {
    // It has ended, or the system forbids it: then it is as without.
  }
}
