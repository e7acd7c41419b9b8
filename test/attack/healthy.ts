/**
 * The process of the healthy stations. It does nothing else, so that no other task of the process adds to the time of a
 * call.
 */
import { serveTasks } from '../../bench/children.ts'
import { Booters, Callers, sumOf, Visitors, type FleetOptions, type Tally, type Watched } from './fleet.ts'

export type Task =
  | { readonly kind: 'connect'; readonly who: keyof typeof kinds; readonly options: FleetOptions }
  | { readonly kind: 'leave' }
  | { readonly kind: 'watch' | 'watchQuiet'; readonly ms: number }
  | { readonly kind: 'tally' }

const kinds = {
  callers: async (options: FleetOptions): Promise<Watched> => {
    const callers = new Callers()
    await callers.connect(options)
    return callers
  },
  visitors: (options: FleetOptions): Watched => new Visitors(options),
  booters: (options: FleetOptions): Watched => new Booters(options),
}

const watched: Watched[] = []

serveTasks(async (task: Task): Promise<readonly number[] | Tally | null> => {
  switch (task.kind) {
    case 'connect':
      watched.push(await kinds[task.who](task.options))
      return null
    case 'leave':
      watched.splice(0).forEach(each => each.close())
      return null
    case 'watch':
    case 'watchQuiet':
      return (await Promise.all(watched.map(each => each[task.kind](task.ms)))).flat()
    case 'tally':
      return sumOf(await Promise.all(watched.map(each => each.tally())))
  }
})
