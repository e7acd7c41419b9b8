/**
 * Stations of one kind at one server; they run in the load generator.
 */
import type { CallName } from './calls.ts'
import type { Worker } from './children.ts'
import type { Task } from './load.ts'
import type { Speed, Window } from './measure.ts'
import type { Rate } from './open-loop.ts'
import { broadcastKey, type Subject } from './subjects.ts'

export interface Group {
  /** Connects more stations, which stay. */
  open(stations: number): Promise<void>
  /** Makes every station call a number of times, one call after another. */
  call(call: CallName, times: number): Promise<void>
  /** Makes the first stations call without a pause, and measures the server. */
  measure(call: CallName, stations: number, window: Window): Promise<Speed>
  /** Makes all stations together call at a rate; how long each call took, in ms. */
  offer(call: CallName, rate: Rate): Promise<number[]>
  /** Broadcasts commands to the stations in turn, which answer them; how long each took to its station, in ms. */
  broadcast(rate: Rate): Promise<number[]>
}

/** @param prefix of their identities; several groups at one server need one each */
export function groupOf(subject: Subject, load: Worker, prefix = 'CP'): Group {
  const { server, dialect, url, compression, broadcastUrl } = subject
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
    offer: async (call, rate) => (await ask({ kind: 'offer', group, call, rate })) as number[],
    broadcast: async rate => {
      if (broadcastUrl === null) throw new Error(`${subject.name} takes no broadcasts`)
      return (await ask({ kind: 'broadcast', group, to: { url: broadcastUrl, key: broadcastKey }, rate })) as number[]
    },
  }
}
