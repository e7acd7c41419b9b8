/**
 * Narrates messages: who sent them and who answered, in plain words and with the frames on the wire.
 */
import type { Entry } from '../rpc.ts'
import type { Page } from './page.ts'
import type { App } from './scene.ts'
import type { Command, Exchange, Payload, Station } from './station.ts'
import { within } from './failure.ts'
import { answering, asking } from './words.ts'

/** Additions to the narration of an exchange. */
type Asides = {
  /** Runs between the lines of the message and of its answer. */
  readonly between?: () => Promise<void>
  /** The words for the answer, if the app's book says more than the frame. */
  readonly answered?: () => Promise<string>
}

const answerSeconds = 10

/** Actions that the bridge answers without the app. */
const bridgesOwn: ReadonlySet<string> = new Set(['Heartbeat'])

export class Teller {
  readonly #page: Page
  readonly #app: App
  readonly #stationId: string

  constructor(page: Page, app: App, stationId: string) {
    this.#page = page
    this.#app = app
    this.#stationId = stationId
  }

  /** Sends a call from the station, waits for its answer and for the app's journal entry, and prints both. */
  async exchange(
    station: Station,
    action: string,
    payload: Payload,
    { between, answered }: Asides = {},
  ): Promise<Payload> {
    const exchange = await within(answerSeconds, station.call(action, payload), `the answer to ${action}`)
    const entry = bridgesOwn.has(action) ? null : await this.noted(action, exchange.id)
    await this.#page.line('station -> app', asking(action, payload), exchange.sent)
    await between?.()
    await this.#tellAnswer(exchange, entry, (await answered?.()) ?? answering(action, exchange.answer))
    return exchange.answer
  }

  /** Prints a remote command of the app, once the app has received the station's answer. */
  async command({ id, action, payload, received, answer, sent }: Command): Promise<void> {
    await this.noted(`the answer to ${action}`, id, answer === null ? 'error' : 'ack')
    await this.#page.line('app -> station', asking(action, payload), received)
    await this.#page.line('station -> app', answering(action, answer), sent)
  }

  /** The app's journal entry for a message of this station. */
  noted(what: string, id: string, event?: string): Promise<Entry> {
    return this.#app.entry(
      what,
      entry => entry.station === this.#stationId && entry.id === id && (event === undefined || entry.event === event),
    )
  }

  /** If the app's journal entry has no answer, the bridge answered. */
  async #tellAnswer({ action, received }: Exchange, entry: Entry | null, words: string): Promise<void> {
    if (entry?.answer !== undefined) return this.#page.line('app -> station', words, received)
    const why = bridgesOwn.has(action) ? '' : ' (The app left the answer to the bridge.)'
    await this.#page.line('bridge -> station', words + why, received)
  }
}
