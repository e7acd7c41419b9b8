/**
 * Stations of one kind at one server; they run in the load generator.
 */
import type { CallName } from './calls.ts'
import type { Worker } from './children.ts'
import type { Task } from './load.ts'
import type { Speed, Window } from './measure.ts'
import type { Subject } from './subjects.ts'

export interface Group {
  /** Connects more stations, which stay. */
  open(stations: number): Promise<void>
  /** Makes every station call a number of times, one call after another. */
  call(call: CallName, times: number): Promise<void>
  /** Makes the first stations call without a pause, and measures the server. */
  measure(call: CallName, stations: number, window: Window): Promise<Speed>
}

/**
 * @param prefix of their identities, unique at a server; the stub app is silent to those that begin with `silent`
 */
export function groupOf(subject: Subject, load: Worker, prefix: string): Group {
  const { server, dialect, url, compression } = subject
  const { pid } = server
  const ways = { prefix, dialect, url, compression }
  const group = `${pid} ${prefix}`
  const ask = (task: Task): Promise<unknown> => load.ask(task)
  return {
    open: async stations => {
      await ask({ kind: 'open', group, ways, stations })
    },
    call: async (call, times) => {
      await ask({ kind: 'call', group, call, times })
    },
    measure: async (call, stations, window) =>
      (await ask({ kind: 'measure', group, pid, stations, call, window })) as Speed,
  }
}
