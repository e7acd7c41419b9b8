/**
 * The demo after the story, with --keep: everything keeps running, the station obeys commands, and messages are shown.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { cards } from '../book.ts'
import { Failure } from './failure.ts'
import { entryOf } from './scene.ts'
import type { Command, Payload, Station } from './station.ts'
import { stationId, stream, type PluggedIn, type Stage } from './story.ts'
import { cardStatus } from './words.ts'

const readingEveryMs = 1_000
/** The interval in the app's answer to a boot. */
const heartbeatMs = 300_000

/** Never resolves. Rejects when a program or the connection ends unexpectedly, or when the page ends. */
export async function keepUp(stage: Stage, pluggedIn: PluggedIn, signal: AbortSignal): Promise<never> {
  await stage.page.text(invitation(stage))
  showOthers(stage)
  const life = new Promise<never>((_, reject) => {
    const run = (work: Promise<unknown>): void => void work.catch(reject)
    pluggedIn.onCommand = command => run(obey(stage, pluggedIn, command, signal))
    run(beat(stage, pluggedIn.station, signal))
  })
  const cutOff = pluggedIn.station.ended().then(({ code, reason }) => {
    throw new Failure(`The bridge closed the station's connection (${code} ${reason})`)
  })
  return Promise.race([life, cutOff])
}

/** Carries out a command that the station has accepted. */
async function obey(
  { page, teller }: Stage,
  { station, connector }: PluggedIn,
  command: Command,
  signal: AbortSignal,
): Promise<void> {
  await teller.command(command)
  if (command.answer?.['status'] !== 'Accepted') return
  const { action, payload } = command
  if (action === 'TriggerMessage') {
    const requested = String(payload['requestedMessage'])
    await teller.exchange(station, requested, connector.triggered(requested) ?? {})
  } else if (action === 'RemoteStopTransaction') {
    await teller.exchange(station, 'StopTransaction', connector.stop('Remote'))
    connector.transactionId = null
    await page.line('station', 'the connector is free again')
  } else if (action === 'RemoteStartTransaction') {
    await chargeUntilStopped({ teller, station, connector }, String(payload['idTag']), signal)
  }
}

type Charging = Pick<Stage, 'teller'> & Pick<PluggedIn, 'station' | 'connector'>

async function chargeUntilStopped(
  { teller, station, connector }: Charging,
  idTag: string,
  signal: AbortSignal,
): Promise<void> {
  const answer = await teller.exchange(station, 'StartTransaction', connector.start(idTag))
  connector.transactionId = Number(answer['transactionId'])
  if (cardStatus(answer) !== 'Accepted') {
    await teller.exchange(station, 'StopTransaction', connector.stop('DeAuthorized'))
    connector.transactionId = null
    return
  }
  const mine = connector.transactionId
  for (;;) {
    await sleep(readingEveryMs, undefined, { signal })
    if (connector.transactionId !== mine) return
    await teller.exchange(station, 'MeterValues', connector.reading())
  }
}

async function beat({ teller }: Stage, station: Station, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(heartbeatMs, undefined, { signal })
    await teller.exchange(station, 'Heartbeat', {})
  }
}

/** Shows the app's journal of other stations and of failed commands, and the bridge's log. */
function showOthers({ page, app, bridge }: Stage): void {
  const show = (who: string, what: string): void => void page.line(who, what).catch(() => undefined)
  app.onLine(line => {
    const entry = entryOf(line)
    if (entry?.station !== undefined && (entry.station !== stationId || entry.event === 'error')) show('app', line)
  })
  bridge.onLine(line => show("bridge's log", line))
}

function invitation({ app, bridge }: Stage): string {
  const post = (command: string, id: string, payload: Payload): string => {
    const body = JSON.stringify({ stream, data: JSON.stringify({ command, id, payload }) })
    return `  curl -d '${body}' ${bridge.broadcastUrl}`
  }
  return `
The bridge, the app and the station keep running, reachable from this machine only. Ctrl-C stops them.

Check that the bridge is alive, and what the app has booked:
  curl ${bridge.base}/health
  curl ${app.transactionsUrl}

List the stations, in another terminal and in this folder; add --help for the other commands:
  node bin/ocpp-cable stations

Ask the station for its status, then start a session remotely; the app stops it when the card reaches its limit:
${post('TriggerMessage', 'try-1', { requestedMessage: 'StatusNotification' })}
${post('RemoteStartTransaction', 'try-2', { idTag: 'CARD-ALEX', connectorId: 1 })}

Connect your own station or simulator (OCPP 1.6; the cards are ${[...cards.keys()].join(' and ')}):
  ${bridge.base.replace('http', 'ws')}/ocpp/MY-STATION

From here on, messages are shown as they pass.
`
}
