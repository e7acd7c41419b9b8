/**
 * The attackers' process: runs one attack after another, and returns how the connections of each ended. It gives way to
 * the stations whose answers are measured on the same machine.
 */
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { serveTasks } from '../../bench/children.ts'
import { attacks } from './rows/all.ts'
import { Ends, type Target } from './connections.ts'

export type Task = Omit<Target, 'until'> & { readonly name: string; readonly ms: number }

setPriority(19)
serveTasks(async ({ name, ms, ...rest }: Task): Promise<Ends['counts']> => {
  const attack = attacks.find(each => each.name === name)
  if (attack === undefined) throw new Error(`no attack is called ${name}`)
  const ends = new Ends()
  await attack.run({ ...rest, until: performance.now() + ms }, ends)
  await sleep(50) // the last ones are closing
  return ends.counts
})
