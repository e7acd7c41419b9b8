/**
 * Frames for the log, the streams of `GET /v1/messages` and the histories. While none of them wants any, the
 * sessions do not call it at all.
 */
import { cardRefusal } from '../../ocpp/answers.ts'
import type { Log } from '../../ops/log.ts'
import { cutFrame, redactFrame } from '../../ops/redact/redact.ts'
import type { Trace, Who } from '../../session/ports.ts'
import type { FrameView } from '../answers.ts'
import type { Clock } from '../clock.ts'
import { limits } from '../limits.ts'
import { History } from './history.ts'
import { Pairs } from './pairs.ts'
import { matcherOf, Patterns } from './patterns.ts'
import { eventText, type Start, type Stream } from './streams.ts'

export type FrameSettings = {
  /** Whether the log has all frames; `logAll` changes it. */
  readonly logsAll: boolean
  /** Whether frames are shown as they are, tags and keys included. */
  readonly isSensitive: boolean
  /** How many frames are kept of each station. */
  readonly history: number
}

export type FrameFilter = {
  readonly station: string | undefined
  readonly action: string | undefined
  readonly errors: boolean | undefined
}

/** One stream of `GET /v1/messages`. */
type Tail = { readonly matches: (stationId: string) => boolean; readonly filter: FrameFilter; readonly stream: Stream }

/** Who wants the frames of a connection. */
type Watchers = {
  readonly isLogged: boolean
  /** How many of its frames are kept. */
  readonly most: number
  readonly tails: readonly Tail[]
}

const errorTypes: readonly FrameView['type'][] = ['callError', 'callResultError', 'malformed']

export class Frames {
  readonly #settings: FrameSettings
  #logsAll: boolean
  readonly #clock: Clock
  readonly #log: Log
  readonly #onWatched: (trace: Trace | null) => void
  readonly #tails = new Set<Tail>()
  readonly #logged = new Patterns<'debug'>(() => this.#update())
  readonly #kept = new Patterns<number>(() => this.#onKept())
  readonly #history = new History(limits.historyBytes)
  readonly #pairs = new Pairs()
  /** By connection: patterns are matched once for each, not for each frame. Made anew when what is wanted changes. */
  #watchers = new WeakMap<Who, Watchers>()

  /**
   * @param log      writes at debug level, whatever the level of the process
   * @param onWatched takes the function that is called for each frame, `null` while nothing is watched
   */
  constructor(settings: FrameSettings, clock: Clock, log: Log, onWatched: (trace: Trace | null) => void) {
    this.#settings = settings
    this.#logsAll = settings.logsAll
    this.#clock = clock
    this.#log = log
    this.#onWatched = onWatched
    this.#update()
  }

  /** Whether the log has all frames, from now on. */
  logAll(logsAll: boolean): void {
    this.#logsAll = logsAll
    this.#update()
  }

  get historyBytes(): number {
    return this.#history.bytes
  }

  get logs() {
    return this.#logged.list()
  }

  get histories() {
    return this.#kept.list()
  }

  /** Throws `ProblemError` for a pattern that takes long to match. */
  tail(filter: FrameFilter): Start {
    const matches = matcherOf(filter.station)
    return stream => {
      const tail = { matches, filter, stream }
      this.#tails.add(tail)
      this.#update()
      return () => {
        this.#tails.delete(tail)
        this.#update()
      }
    }
  }

  /** @returns when it ends, in ms of `World.now` */
  setLog(pattern: string, level: 'debug' | 'default', forMs: number): number {
    const now = this.#clock.now()
    if (level === 'default') this.#logged.delete(pattern)
    else this.#logged.set(pattern, level, now, forMs)
    return level === 'default' ? now : now + forMs
  }

  /** @returns when it ends, in ms of `World.now` */
  setHistory(pattern: string, frames: number, forMs: number): number {
    const now = this.#clock.now()
    if (frames === 0) this.#kept.delete(pattern)
    else this.#kept.set(pattern, frames, now, forMs)
    return frames === 0 ? now : now + forMs
  }

  /** @param limit the latest so many */
  historyOf(stationId: string, limit: number) {
    const untils = Array.from(this.#kept.of(stationId), ({ until }) => until)
    const isForEver = this.#settings.history > 0 || untils.length === 0
    const until = isForEver ? null : this.#clock.timeOf(Math.max(...untils))
    return { messages: this.#history.of(stationId).slice(-limit), kept: this.#limitOf(stationId), until }
  }

  close(): void {
    this.#logged.close()
    this.#kept.close()
  }

  #limitOf(stationId: string): number {
    let most = this.#settings.history
    if (!this.#kept.isEmpty) for (const { value } of this.#kept.of(stationId)) most = Math.max(most, value)
    return most
  }

  #onKept(): void {
    if (this.#settings.history === 0) this.#history.forget(stationId => !this.#kept.has(stationId))
    this.#update()
  }

  #update(): void {
    const { history } = this.#settings
    this.#watchers = new WeakMap()
    const isRead = history > 0 || !this.#kept.isEmpty || this.#tails.size > 0
    if (!isRead) this.#pairs.clear()
    const isWatched = isRead || this.#logsAll || !this.#logged.isEmpty
    this.#onWatched(isWatched ? this.#onFrame : null)
  }

  readonly #onFrame: Trace = (who, direction, text) => {
    const { isLogged, most, tails } = this.#watchersOf(who)
    if (isLogged) this.#log.debug({ ...who, frame: text }, direction)
    if (most === 0 && tails.length === 0) return
    const frame = this.#frame(who, direction, text)
    if (most > 0) this.#history.keep(frame.view, most)
    for (const { filter, stream } of tails) {
      // A stream that is full counts what it loses.
      if (wants(filter, frame)) stream.send(stream.isFull ? '' : frame.event)
    }
  }

  #watchersOf(who: Who): Watchers {
    const known = this.#watchers.get(who)
    if (known !== undefined) return known
    const { station } = who
    const watchers = {
      isLogged: this.#logsAll || this.#logged.has(station),
      most: this.#limitOf(station),
      tails: [...this.#tails].filter(({ matches }) => matches(station)),
    }
    this.#watchers.set(who, watchers)
    return watchers
  }

  #frame(who: Who, direction: 'received' | 'sent', text: string): SeenFrame {
    const now = this.#clock.now()
    const head = this.#pairs.read(who, direction, text, now)
    const { station, sid } = who
    const isError = errorTypes.includes(head.type) || (head.type === 'callResult' && cardRefusal.test(text))
    const shown = this.#settings.isSensitive ? cutFrame : redactFrame
    return new SeenFrame({ at: this.#clock.timeOf(now), station, sid, direction, ...head, isError }, text, shown)
  }
}

/** A frame that passes: redacted once, and only if a client or a history gets it. */
class SeenFrame {
  readonly head: Omit<FrameView, 'frame'>
  readonly #text: string
  readonly #shown: (text: string) => string
  #view: FrameView | null = null
  #event: string | null = null

  constructor(head: Omit<FrameView, 'frame'>, text: string, shown: (text: string) => string) {
    this.head = head
    this.#text = text
    this.#shown = shown
  }

  get view(): FrameView {
    return (this.#view ??= { ...this.head, frame: this.#shown(this.#text) })
  }

  get event(): string {
    return (this.#event ??= eventText('message', this.view))
  }
}

function wants({ action, errors }: FrameFilter, frame: SeenFrame): boolean {
  return (action === undefined || action === frame.head.action) && (errors !== true || frame.head.isError)
}
