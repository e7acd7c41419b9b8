/**
 * The load generator, a process of its own: stations that stay connected and call in a closed loop on request, with one
 * call in flight each.
 */
import type { CallName } from './calls.ts'
import { serveTasks } from './children.ts'
import { measure, type Speed, type Window } from './measure.ts'
import { openers, type Connected, type Ways } from './dialects.ts'
import { inOpenLoop, type Rate } from './open-loop.ts'
import { openPublisher, type Endpoint } from './publish.ts'

export type Task =
  /** Opens more connections of a group. */
  | { readonly kind: 'open'; readonly group: string; readonly ways: Ways; readonly stations: number }
  /** Makes the first `stations` of a group call, and measures the server. */
  | {
      readonly kind: 'measure'
      readonly group: string
      readonly pid: number
      readonly stations: number
      readonly call: CallName
      readonly window: Window
    }
  /** Makes each station call a number of times, one call after another. */
  | { readonly kind: 'call'; readonly group: string; readonly times: number; readonly call: CallName }
  /** Makes the stations of a group call at a rate; the result is how long each call took. */
  | { readonly kind: 'offer'; readonly group: string; readonly call: CallName; readonly rate: Rate }
  /** Broadcasts a command to one station after another; the result is how long each took to its station. */
  | { readonly kind: 'broadcast'; readonly group: string; readonly to: Endpoint; readonly rate: Rate }

/** How many connect at the same time. */
const batch = 50

/** What is broadcast; a bridge sends it as a CALL. */
const command = { command: 'TriggerMessage', payload: { requestedMessage: 'Heartbeat' } }

const groups = new Map<string, Connected[]>()
let lastCommand = 0

serveTasks((task: Task): Promise<Speed | number[] | null> => {
  switch (task.kind) {
    case 'open':
      return openAll(task)
    case 'measure':
      return measureCalls(task)
    case 'call':
      return callAll(task)
    case 'offer':
      return offerCalls(task)
    case 'broadcast':
      return broadcastAll(task)
  }
})

async function openAll({ group, ways, stations }: Extract<Task, { kind: 'open' }>): Promise<null> {
  const open = groups.get(group) ?? []
  groups.set(group, open)
  for (const last = open.length + stations; open.length < last;) {
    const numbers = Array.from({ length: Math.min(batch, last - open.length) }, (_, at) => open.length + at)
    open.push(...(await Promise.all(numbers.map(number => openers[ways.dialect](ways, `${ways.prefix}-${number}`)))))
  }
  return null
}

async function measureCalls(task: Extract<Task, { kind: 'measure' }>): Promise<Speed> {
  let ended = 0
  let isOver = false
  const loops = groupOf(task.group)
    .slice(0, task.stations)
    .map(async ({ station, frameFor }) => {
      const frame = frameFor(task.call)
      while (!isOver) {
        await station.call(frame)
        ended++
      }
    })
  const all = Promise.all(loops)
  const speed = measure(task.pid, task.window, () => ended).finally(() => (isOver = true))
  await Promise.race([speed, all])
  await all
  return speed
}

async function callAll({ group, times, call }: Extract<Task, { kind: 'call' }>): Promise<null> {
  const ready = groupOf(group).map(({ station, frameFor }) => ({ station, frame: frameFor(call) }))
  for (let time = 0; time < times; time++) await Promise.all(ready.map(({ station, frame }) => station.call(frame)))
  return null
}

function offerCalls({ group, call, rate }: Extract<Task, { kind: 'offer' }>): Promise<number[]> {
  const ready = groupOf(group).map(({ station, frameFor }) => ({ station, frame: frameFor(call) }))
  return inOpenLoop(ready, rate, ({ station, frame }) => station.call(frame))
}

async function broadcastAll({ group, to, rate }: Extract<Task, { kind: 'broadcast' }>): Promise<number[]> {
  const publisher = openPublisher(to)
  const times = await inOpenLoop(groupOf(group), rate, async ({ sn, station, answerFor }) => {
    const id = `command-${++lastCommand}-`
    const arrived = station.next(id)
    publisher.publish({ stream: `ocpp:${sn}`, data: JSON.stringify({ ...command, id }) })
    await arrived
    station.send(answerFor(id))
  })
  await publisher.close()
  return times
}

function groupOf(group: string): readonly Connected[] {
  const open = groups.get(group)
  if (open === undefined) throw new Error(`no station of ${group} is connected`)
  return open
}
