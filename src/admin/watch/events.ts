/**
 * What happens to stations, for the streams of `GET /v1/events`. While there is none, the sessions do not call it at
 * all.
 */
import type { StationEvent } from '../../session/ports.ts'
import { versions } from '../../ocpp/version.ts'
import type { EventView } from '../answers.ts'
import type { Clock } from '../clock.ts'
import { matcherOf } from './patterns.ts'
import { eventText, type Start, type Stream } from './streams.ts'

export type EventFilter = { readonly station: string | undefined; readonly type: EventView['type'] | undefined }

type Tail = { readonly matches: (stationId: string) => boolean; readonly filter: EventFilter; readonly stream: Stream }

const nothing = { sid: null, version: null, action: null, outcome: null, code: null, reason: null } as const

export class Events {
  readonly #clock: Clock
  readonly #onWatched: (take: ((event: StationEvent) => void) | null) => void
  readonly #tails = new Set<Tail>()

  /** @param onWatched takes the function that is called for each event, `null` while nothing is watched */
  constructor(clock: Clock, onWatched: (take: ((event: StationEvent) => void) | null) => void) {
    this.#clock = clock
    this.#onWatched = onWatched
  }

  /** Throws `ProblemError` for a pattern that takes long to match. */
  tail(filter: EventFilter): Start {
    const matches = matcherOf(filter.station)
    return stream => {
      const tail = { matches, filter, stream }
      this.#tails.add(tail)
      this.#onWatched(this.#take)
      return () => {
        this.#tails.delete(tail)
        if (this.#tails.size === 0) this.#onWatched(null)
      }
    }
  }

  onRefused(station: string, code: number, reason: string): void {
    if (this.#tails.size > 0) this.#send({ ...nothing, at: this.#now(), type: 'refused', station, code, reason })
  }

  readonly #take = (event: StationEvent): void => {
    const { type, who, version } = event
    const about = { ...nothing, at: this.#now(), type, ...who, version: versions[version].number }
    if (event.type === 'disconnected') this.#send({ ...about, code: event.code, reason: event.reason })
    else if (event.type !== 'command') this.#send(about)
    else {
      const { kind, failure, request } = event.outcome
      const reason = event.outcome.kind === 'ack' ? null : `${event.outcome.code}: ${event.outcome.message}`
      this.#send({ ...about, action: request, outcome: failure ?? kind, reason })
    }
  }

  #send(event: EventView): void {
    const text = eventText('event', event)
    for (const { matches, filter, stream } of this.#tails)
      if ((filter.type === undefined || filter.type === event.type) && matches(event.station)) stream.send(text)
  }

  #now(): string {
    return this.#clock.timeOf(this.#clock.now())
  }
}
