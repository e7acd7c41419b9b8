/**
 * Counts the connected stations when the metrics are read: one pass over all of them, and nothing on a message's way.
 */
import { versions, type Version } from '../ocpp/version.ts'
import type { SessionState } from '../session/ports.ts'

type Counted = {
  readonly handshake: { readonly version: Version }
  readonly view: {
    readonly state: SessionState
    /** How many commands and messages wait. */
    readonly load: { readonly commands: number; readonly messages: number }
  }
}

export type Census = {
  /** How many stations of each version are in each state. */
  readonly stations: readonly (readonly [{ readonly version: string; readonly state: SessionState }, number])[]
  /** The longest queue of commands, and of messages, of any station. */
  readonly most: { readonly commands: number; readonly messages: number }
}

export function census(members: Iterable<Counted>): Census {
  const counts = new Map<string, [{ version: string; state: SessionState }, number]>()
  const most = { commands: 0, messages: 0 }
  for (const { handshake, view } of members) {
    const { number: version } = versions[handshake.version]
    const { state, load } = view
    const count = counts.get(`${version} ${state}`) ?? [{ version, state }, 0]
    count[1]++
    counts.set(`${version} ${state}`, count)
    most.commands = Math.max(most.commands, load.commands)
    most.messages = Math.max(most.messages, load.messages)
  }
  return { stations: [...counts.values()], most }
}
