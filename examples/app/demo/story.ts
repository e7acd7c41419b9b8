/**
 * One charging session, step by step. Every line is printed after the event, from the frames that passed.
 */
import { cards } from '../book.ts'
import type { Entry } from '../rpc.ts'
import type { Session } from './check.ts'
import { Connector, serialNumber } from './connector.ts'
import { Failure, within } from './failure.ts'
import type { Page } from './page.ts'
import type { App, Booked, Bridge } from './scene.ts'
import { Station, type Command, type Payload } from './station.ts'
import type { Teller } from './teller.ts'
import { cardStatus, kWh, readingWh } from './words.ts'

export const stationId = 'DEMO-1'
export const stream = `ocpp:ev/${serialNumber}`
const idTag = 'CARD-ALEX'
/** Enough to reach the card's limit. */
const readings = 4
const commandSeconds = 10

export type Stage = { readonly page: Page; readonly app: App; readonly bridge: Bridge; readonly teller: Teller }

/** The station while it is plugged in. */
export type PluggedIn = {
  readonly station: Station
  readonly connector: Connector
  /** Called after the station has answered a remote command. */
  onCommand: (command: Command) => void
}

export async function plugIn({ page, app, bridge, teller }: Stage): Promise<PluggedIn> {
  await page.heading('1. The station connects')
  const url = `${bridge.base.replace('http', 'ws')}/ocpp/${stationId}`
  const connector = new Connector()
  const onCommand = (command: Command): void => pluggedIn.onCommand(command)
  const station = await Station.open(url, (action, payload) => connector.answerTo(action, payload), onCommand)
  const pluggedIn: PluggedIn = { station, connector, onCommand: () => undefined }
  await page.line('station -> bridge', `Hello, I am ${stationId}, and I speak OCPP 1.6.`, `GET ${url} (ocpp1.6)`)
  await page.line('bridge -> station', 'Then we speak OCPP 1.6.', `101 Switching Protocols (${station.subprotocol})`)

  await page.heading('2. The station introduces itself, and the app accepts it')
  const between = async (): Promise<void> => {
    const connected = await app.entry('connected', ({ event }) => event === 'connected')
    await page.line('app', `accepts ${stationId}`, journalText(connected))
    const subscribed = await app.entry('subscribed', ({ event }) => event === 'subscribed')
    await page.line('app', 'names the stream on which it will reach the station', journalText(subscribed))
  }
  const answer = await teller.exchange(station, 'BootNotification', connector.boot(), { between })
  expectAnswer('BootNotification', answer['status'])
  await teller.exchange(station, 'StatusNotification', connector.status())
  return pluggedIn
}

/** Returns the session as the station saw it. */
export async function charge(stage: Stage, pluggedIn: PluggedIn): Promise<Session> {
  const { page, app, teller } = stage
  const { station, connector } = pluggedIn
  const stopped = new Promise<Command>(resolve => {
    pluggedIn.onCommand = command => command.action === 'RemoteStopTransaction' && resolve(command)
  })

  await page.heading('3. A driver arrives')
  expectAnswer('Authorize', cardStatus(await teller.exchange(station, 'Authorize', { idTag })))

  await page.heading("4. Energy flows (a reading every quarter of an hour; this station's clock runs fast)")
  const start = connector.start(idTag)
  const answer = await teller.exchange(station, 'StartTransaction', start)
  expectAnswer('StartTransaction', cardStatus(answer))
  const transactionId = Number(answer['transactionId'])
  connector.transactionId = transactionId
  const readingsWh: number[] = []
  for (let count = 0; count < readings; count += 1) {
    const reading = connector.reading()
    await teller.exchange(station, 'MeterValues', reading, {
      answered: async () => `Booked: ${kWh((await bookedTransaction(app, transactionId)).energyWh)} so far.`,
    })
    readingsWh.push(readingWh(reading))
  }

  await page.heading('5. The app stops the transaction remotely')
  const command = await within(commandSeconds, stopped, 'the remote stop to reach the station')
  await tellRemoteStop(stage, command)

  await page.heading('6. The station stops')
  const stop = connector.stop('Remote')
  await teller.exchange(station, 'StopTransaction', stop)
  connector.transactionId = null
  await tellReceipt(page, await bookedTransaction(app, transactionId))
  return {
    station: stationId,
    idTag,
    transactionId,
    meterStartWh: Number(start['meterStart']),
    readingsWh,
    meterStopWh: Number(stop['meterStop']),
  }
}

export async function unplug({ page, app }: Stage, { station }: PluggedIn): Promise<void> {
  await page.heading('7. The station disconnects')
  const { code, reason } = await within(commandSeconds, station.close(), 'the connection to end')
  await page.line('station -> bridge', 'Good-bye.', `close ${code} ${reason}`)
  const gone = await app.entry(
    'disconnected',
    ({ event, station }) => event === 'disconnected' && station === stationId,
  )
  await page.line('app', `knows that ${stationId} has left`, journalText(gone))
}

async function tellRemoteStop({ page, app, bridge, teller }: Stage, command: Command): Promise<void> {
  const { driver, energyWh } = await bookedTransaction(app, Number(command.payload['transactionId']))
  const limit = kWh(cards.get(idTag)?.limitWh)
  const posted = await app.entry('broadcast', ({ event, id }) => event === 'broadcast' && id === command.id)
  const why = `has booked ${kWh(energyWh)} for ${driver ?? 'an unknown driver'}, whose limit is ${limit}: it posts a command to the bridge`
  await page.line('app', why, `POST ${bridge.broadcastUrl} for ${String(posted['stream'])}`)
  await teller.command(command)
  expectAnswer('RemoteStopTransaction', command.answer?.['status'])
}

async function tellReceipt(page: Page, { id, driver, idTag, ...booked }: Booked): Promise<void> {
  const { energyWh, meterStartWh, readings, stop } = booked
  await page.heading(`The receipt, from the app's book`)
  await page.row('transaction', String(id))
  await page.row('driver', `${driver ?? 'an unknown driver'}, ${idTag}`)
  await page.row('energy', `${kWh(energyWh)} (the meter from ${kWh(meterStartWh)} to ${kWh(stop?.meterWh)})`)
  await page.row('readings', String(readings.length))
  await page.row('ended', stop === null ? 'not yet' : `${stop.at}, ${stop.reason}`)
}

/** A journal entry as text, without its time. */
function journalText(entry: Entry): string {
  return JSON.stringify({ ...entry, at: undefined })
}

async function bookedTransaction(app: App, id: number): Promise<Booked> {
  const booked = (await app.transactions()).find(transaction => transaction.id === id)
  if (booked === undefined) throw new Failure(`The app has no transaction ${id} in its book`)
  return booked
}

function expectAnswer(action: string, status: Payload[string]): void {
  if (status !== 'Accepted') throw new Failure(`${action} was answered with ${JSON.stringify(status)}, not "Accepted"`)
}
