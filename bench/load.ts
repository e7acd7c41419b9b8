/**
 * The load generator, a process of its own: stations that stay connected, and call in a closed loop when they are told
 * to, with one outstanding call each.
 */
import { serveTasks } from './children.ts'
import { measure, type Speed, type Window } from './measure.ts'
import { frameOf, idPlace, Station, type MessageFrame } from './station.ts'

/** How a server is spoken to: OCPP-J, or Action Cable as AnyCable's own server does. */
export type Dialect = 'ocpp' | 'cable'
export type Action = 'Heartbeat' | 'StatusNotification'

export type Task =
  /** Opens `stations` connections more of a group; a station's identity is `prefix` and a number. */
  | {
      readonly kind: 'open'
      readonly group: string
      readonly prefix: string
      readonly dialect: Dialect
      readonly url: string
      readonly stations: number
    }
  /** Has the first `stations` of a group call, and measures the server. */
  | {
      readonly kind: 'measure'
      readonly group: string
      readonly pid: number
      readonly stations: number
      readonly action: Action
      readonly window: Window
    }
  /** So many calls of each station, one after another. */
  | { readonly kind: 'call'; readonly group: string; readonly calls: number; readonly action: Action }

type Connected = { readonly station: Station; readonly frames: Readonly<Record<Action, MessageFrame>> }

/** How many connect at the same time. */
const batch = 50
const payloads: Readonly<Record<Action | 'BootNotification', (sn: string) => object>> = {
  BootNotification: sn => ({ chargePointVendor: 'Vendor', chargePointModel: 'Model', meterSerialNumber: sn }),
  Heartbeat: () => ({}),
  StatusNotification: () => ({ connectorId: 1, errorCode: 'NoError', status: 'Available' }),
}

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

async function openAll({ group, prefix, dialect, url, stations }: Extract<Task, { kind: 'open' }>): Promise<null> {
  const open = groups.get(group) ?? []
  groups.set(group, open)
  for (const last = open.length + stations; open.length < last;) {
    const numbers = Array.from({ length: Math.min(batch, last - open.length) }, (_, at) => open.length + at)
    open.push(...(await Promise.all(numbers.map(number => openers[dialect](url, `${prefix}-${number}`)))))
  }
  return null
}

async function measureCalls(task: Extract<Task, { kind: 'measure' }>): Promise<Speed> {
  let calls = 0
  let isOver = false
  const loops = groupOf(task.group)
    .slice(0, task.stations)
    .map(async ({ station, frames }) => {
      while (!isOver) {
        await station.call(frames[task.action])
        calls++
      }
    })
  const all = Promise.all(loops)
  const speed = measure(task.pid, task.window, () => calls).finally(() => (isOver = true))
  await Promise.race([speed, all])
  await all
  return speed
}

async function callAll({ group, calls, action }: Extract<Task, { kind: 'call' }>): Promise<null> {
  for (let call = 0; call < calls; call++)
    await Promise.all(groupOf(group).map(({ station, frames }) => station.call(frames[action])))
  return null
}

function groupOf(group: string): readonly Connected[] {
  const open = groups.get(group)
  if (open === undefined) throw new Error(`no station of ${group} is connected`)
  return open
}

const openers: Readonly<Record<Dialect, (url: string, sn: string) => Promise<Connected>>> = {
  ocpp: async (url, sn) => {
    const station = await Station.open(`${url}/${sn}`, 'ocpp1.6')
    const frame = (action: Action | 'BootNotification'): MessageFrame =>
      frameOf(JSON.stringify([2, idPlace, action, payloads[action](sn)]))
    await station.call(frame('BootNotification'))
    return { station, frames: framesBy(frame) }
  },
  cable: async (url, sn) => {
    const station = await Station.open(url, 'actioncable-v1-json')
    await station.next('"welcome"')
    const identifier = JSON.stringify({ channel: 'OCPPChannel', sn })
    const confirmed = station.next('confirm_subscription')
    station.send(frameOf(JSON.stringify({ command: 'subscribe', identifier })))
    await confirmed
    return {
      station,
      frames: framesBy(command => {
        const action = command.replace(/(?<=[a-z])(?=[A-Z])/, '_').toLowerCase()
        const data = JSON.stringify({ action, id: idPlace, command, payload: payloads[command](sn) })
        return frameOf(JSON.stringify({ command: 'message', identifier, data }))
      }),
    }
  },
}

function framesBy(frame: (action: Action) => MessageFrame): Connected['frames'] {
  return { Heartbeat: frame('Heartbeat'), StatusNotification: frame('StatusNotification') }
}
