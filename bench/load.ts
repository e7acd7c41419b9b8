/**
 * The load generator, a process of its own: stations that stay connected and call in a closed loop on request, with one
 * call in flight each.
 */
import { calls, type CallName } from './calls.ts'
import { serveTasks } from './children.ts'
import { measure, type Speed, type Window } from './measure.ts'
import { frameOf, idPlace, Station, type MessageFrame } from './station.ts'

/** The protocol of a server: OCPP-J, or Action Cable for AnyCable's own server. */
export type Dialect = 'ocpp' | 'cable'

/**
 * Whether stations offer permessage-deflate, and the expected result. If it is negotiated, they compress everything.
 */
export type Compression = 'none' | 'declined' | 'agreed'

/** How the stations of a group connect; a station's identity is `prefix` and a number. */
export type Ways = {
  readonly prefix: string
  readonly dialect: Dialect
  readonly url: string
  readonly compression: Compression
}

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

type Connected = { readonly station: Station; readonly frameFor: (call: CallName) => MessageFrame }

/** How many connect at the same time. */
const batch = 50

const groups = new Map<string, Connected[]>()

serveTasks((task: Task): Promise<Speed | null> => {
  switch (task.kind) {
    case 'open':
      return openAll(task)
    case 'measure':
      return measureCalls(task)
    case 'call':
      return callAll(task)
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

function groupOf(group: string): readonly Connected[] {
  const open = groups.get(group)
  if (open === undefined) throw new Error(`no station of ${group} is connected`)
  return open
}

const openers: Readonly<Record<Dialect, (ways: Ways, sn: string) => Promise<Connected>>> = {
  ocpp: async ({ url, compression }, sn) => {
    const station = await Station.open(`${url}/${sn}`, 'ocpp1.6', compression !== 'none')
    if (station.isCompressing !== (compression === 'agreed')) throw new Error(`compression is not ${compression}`)
    const frameFor = (call: CallName): MessageFrame => {
      const { action, payload } = calls[call]
      return frameOf(JSON.stringify([2, idPlace, action, payload(sn)]), station.isCompressing)
    }
    await station.call(frameFor('boot'))
    return { station, frameFor }
  },
  cable: async ({ url }, sn) => {
    const station = await Station.open(url, 'actioncable-v1-json', false)
    await station.next('"welcome"')
    const identifier = JSON.stringify({ channel: 'OCPPChannel', sn })
    const confirmed = station.next('confirm_subscription')
    station.send(frameOf(JSON.stringify({ command: 'subscribe', identifier })))
    await confirmed
    return {
      station,
      frameFor: call => {
        const { action: command, payload } = calls[call]
        const action = command.replace(/(?<=[a-z])(?=[A-Z])/, '_').toLowerCase()
        const data = JSON.stringify({ action, id: idPlace, command, payload: payload(sn) })
        return frameOf(JSON.stringify({ command: 'message', identifier, data }))
      },
    }
  },
}
