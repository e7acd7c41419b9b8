/**
 * The ways in which stations come and go: each is one connection or two, from its beginning to its end.
 */
import { calls as examples, type CallName } from '../../bench/calls.ts'
import { frameOf, idPlace, Station } from '../../bench/station.ts'
import { openRawStation } from '../support/station.ts'

export type Ways = {
  readonly url: string
  /** Has the app send a station a remote command. */
  readonly command: (stationId: string, id: string) => Promise<void>
}

/** What a visit did, for the record. */
export type Visit = { readonly connects: number; readonly calls: number; readonly commands: number }

type Run = (ways: Ways, stationId: string) => Promise<Visit>

/** In turns; those that have to come with an identity of their own are `alone`. */
export const visits: readonly { readonly because: string; readonly alone?: true; readonly run: Run }[] = [
  { because: 'calls, and closes its WebSocket as it should', run: callsAndCloses },
  { because: 'calls, and is cut off', run: callsAndIsCutOff },
  { because: 'answers a command, and is cut off', run: answersCommand },
  { because: 'is cut off with a command unanswered', run: leavesCommand },
  { because: 'is cut off with a CALL on its way', run: leavesCall },
  { because: 'is cut off while the app is asked about it', run: leavesConnect },
  { because: 'never says a word', run: saysNothing },
  { because: 'says nonsense, and goes on', run: saysNonsense },
  { because: 'is replaced by a newer connection of its own', alone: true, run: isReplaced },
]

const subprotocol = 'ocpp1.6'
let lastCommand = 0

async function callsAndCloses({ url }: Ways, stationId: string): Promise<Visit> {
  const station = await openRawStation(url, stationId)
  const names = ['boot', 'heartbeat', 'status', 'meterValues'] as const
  for (const name of names) {
    const { action, payload } = examples[name]
    const answer = await station.call(`${stationId}-${name}`, action, JSON.stringify(payload(stationId)))
    if (!answer.startsWith('[3,')) throw new Error(`${stationId} was answered ${answer}`)
  }
  await station.close()
  return { connects: 1, calls: names.length, commands: 0 }
}

async function callsAndIsCutOff(ways: Ways, stationId: string): Promise<Visit> {
  const station = await booted(ways, stationId)
  for (const name of ['heartbeat', 'status', 'meterValues'] as const) await station.call(frameFor(name, stationId))
  station.close()
  return { connects: 1, calls: 4, commands: 0 }
}

async function answersCommand(ways: Ways, stationId: string): Promise<Visit> {
  const station = await booted(ways, stationId)
  const id = await commanded(ways, station, stationId)
  station.send(frameOf(`[3,"${id}",{"status":"Accepted"}]`))
  await station.call(frameFor('status', stationId))
  station.close()
  return { connects: 1, calls: 2, commands: 1 }
}

async function leavesCommand(ways: Ways, stationId: string): Promise<Visit> {
  const station = await booted(ways, stationId)
  await commanded(ways, station, stationId)
  station.close()
  return { connects: 1, calls: 1, commands: 1 }
}

async function leavesCall(ways: Ways, stationId: string): Promise<Visit> {
  const station = await booted(ways, stationId)
  station.send(frameFor('meterValues', stationId))
  station.close()
  return { connects: 1, calls: 2, commands: 0 }
}

async function leavesConnect({ url }: Ways, stationId: string): Promise<Visit> {
  const station = await Station.open(`${url}/${stationId}`, subprotocol, false)
  station.send(frameFor('boot', stationId))
  station.close()
  return { connects: 1, calls: 1, commands: 0 }
}

async function saysNothing({ url }: Ways, stationId: string): Promise<Visit> {
  const station = await Station.open(`${url}/${stationId}`, subprotocol, false)
  station.close()
  return { connects: 1, calls: 0, commands: 0 }
}

async function saysNonsense(ways: Ways, stationId: string): Promise<Visit> {
  const station = await booted(ways, stationId)
  station.send(frameOf('[2,"nonsense"'))
  await station.call(frameFor('status', stationId))
  station.close()
  return { connects: 1, calls: 2, commands: 0 }
}

async function isReplaced(ways: Ways, stationId: string): Promise<Visit> {
  const older = await booted(ways, stationId)
  const isClosed = older.next('nothing is waited for but the end').catch(() => undefined)
  const newer = await booted(ways, stationId)
  await isClosed
  await newer.call(frameFor('status', stationId))
  older.close()
  newer.close()
  return { connects: 2, calls: 3, commands: 0 }
}

async function booted({ url }: Ways, stationId: string): Promise<Station> {
  const station = await Station.open(`${url}/${stationId}`, subprotocol, false)
  await station.call(frameFor('boot', stationId))
  return station
}

/** @returns the id of the command, which the station has by then */
async function commanded({ command }: Ways, station: Station, stationId: string): Promise<string> {
  const id = `command-${++lastCommand}-`
  const arrived = station.next(id)
  await command(stationId, id)
  await arrived
  return id
}

function frameFor(name: CallName, stationId: string): ReturnType<typeof frameOf> {
  const { action, payload } = examples[name]
  return frameOf(JSON.stringify([2, idPlace, action, payload(stationId)]))
}
