/**
 * The bridge at a glance.
 */
import type { StationState } from '../../admin/answers.ts'
import type { AnswerOf } from '../../admin/routes.ts'
import { troubleTexts } from '../model/diagnosis.ts'
import { stationLink, stationsLink } from '../model/places.ts'
import { states } from '../model/states.ts'
import { bytesText, countText, numberText, visible } from '../model/text.ts'
import { durationText, msText } from '../model/time.ts'
import { openPoll, type Poll } from '../net/poll.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { Charts } from '../views/charts.ts'
import { errorNote, loadingNote, noTroubleNote, section, stateBadge, tile, timeAgo } from '../views/parts.ts'
import { warningList } from '../views/warnings.ts'
import { asking, type Context, type Page } from './page.ts'

type Stats = AnswerOf<'getStats'>
type Series = AnswerOf<'getSeries'>

const everyMs = 2_500
const troubledShown = 8
/** An app that takes longer is marked: stations wait half a minute at most, and their drivers less. */
const slowMs = 1_000

export class OverviewPage implements Page {
  readonly title = 'Overview'
  readonly #context: Context
  readonly #poll: Poll
  readonly #charts = new Charts()
  #stats: Stats | null = null
  #series: Series = { seconds: 0, samples: [] }
  #warnings: AnswerOf<'listWarnings'>['warnings'] = []
  #troubled: AnswerOf<'listStations'> = { stations: [], matched: 0, next: null }
  #error: Error | null = null

  constructor(context: Context) {
    this.#context = context
    this.#poll = openPoll(everyMs, () => this.#ask())
  }

  view(): TemplateResult {
    return html`<main id="main" class="page">
      <h1 tabindex="-1">Overview</h1>
      ${this.#stats === null ? this.#waiting() : this.#shown(this.#stats)}
    </main>`
  }

  drawn(): void {
    this.#charts.draw(this.#series)
  }

  close(): void {
    this.#poll.close()
    this.#charts.close()
  }

  async #ask(): Promise<void> {
    const { api } = this.#context
    this.#error = await asking(this.#context, async () => {
      const [stats, series, { warnings }, troubled] = await Promise.all([
        api.get<'getStats'>('/v1/stats'),
        api.get<'getSeries'>('/v1/series'),
        api.get<'listWarnings'>('/v1/warnings'),
        api.get<'listStations'>(`/v1/stations?state=troubled&sort=-errors&limit=${troubledShown}`),
      ])
      this.#stats = stats
      this.#series = series
      this.#warnings = warnings
      this.#troubled = troubled
    })
  }

  #waiting(): TemplateResult {
    return this.#error === null ? loadingNote('Loading') : errorNote('The overview cannot be shown', this.#error)
  }

  #shown(stats: Stats): TemplateResult {
    const now = this.#context.now()
    const seconds = (now - Date.parse(stats.startedAt)) / 1000
    return html`
      <p class="under-title">
        Bridge <strong>${visible(stats.nodeId)}</strong>, version ${stats.version}, up for ${durationText(seconds)},
        ${bytesText(stats.memory.bytes)} of memory
      </p>
      <div class="tiles">${tilesOf(stats, this.#series)}</div>
      <div class="columns">
        ${section('troubled', 'Stations in trouble', this.#troubledList(now), this.#allTroubled())}
        ${section('warnings', 'Warnings of the log', warningList(this.#warnings, now))}
      </div>
      ${this.#charts.view(this.#series)}
    `
  }

  #allTroubled(): TemplateResult {
    const { matched } = this.#troubled
    const text = matched > troubledShown ? `All ${numberText(matched)}` : 'All'
    return html`<a href=${stationsLink({ state: 'troubled', sort: '-errors' })}>${text}</a>`
  }

  #troubledList(now: number): TemplateResult {
    const { stations } = this.#troubled
    if (stations.length === 0) return noTroubleNote('None')
    return html`<ul class="lines">
      ${stations.map(station => {
        const { id, state, lastMessageAt } = station
        return html`<li>
          <a class="id" href=${stationLink(id)}>${visible(id)}</a>
          ${stateBadge(state)}
          <span class="bad-text">${visible(troubleTexts(station).join('; '))}</span>
          ${lastMessageAt === null ? nothing : html`<span class="muted">last message ${timeAgo(lastMessageAt, now)}</span>`}
        </li>`
      })}
    </ul>`
  }
}

function tilesOf(stats: Stats, { samples }: Series): readonly TemplateResult[] {
  const latest = samples.at(-1)
  const { rpc, outbox } = stats
  const p95 = latest?.rpcP95Ms ?? null
  const perSecond = (value: number | undefined) => (value === undefined ? '–' : numberText(value))
  const isErring = (latest?.errors ?? 0) > 0
  const unready = Object.entries(stats.ready).filter(([, isReady]) => !isReady)
  return [
    tile('Connected', numberText(stats.stations), byState(stats), 'quiet'),
    tile('Messages per second', perSecond(latest?.received), `${perSecond(latest?.sent)} to stations`, 'quiet'),
    tile(
      'Errors per second',
      perSecond(latest?.errors),
      isErring ? 'Look at the stations in trouble' : 'None in the last seconds',
      isErring ? 'warn' : 'good',
    ),
    tile(
      'The app',
      rpc.away ? 'Away' : p95 === null ? 'Idle' : msText(p95),
      rpc.away
        ? 'It does not answer the bridge: start it, or look at its log'
        : p95 === null
          ? 'No call in the last seconds'
          : `95 of 100 calls take less; ${numberText(latest?.rpcCalls ?? 0)} per second`,
      rpc.away ? 'bad' : (p95 ?? 0) > slowMs ? 'warn' : 'good',
    ),
    tile(
      'Waiting calls',
      numberText(rpc.pending),
      `${rpc.capacity} may run at once; ${countText(stats.disconnects, 'Disconnect')} queued`,
      rpc.pending > rpc.capacity ? 'warn' : 'quiet',
    ),
    outbox === null
      ? tile('Outbox', 'Off', 'state_dir is not set', 'quiet')
      : tile('Outbox', numberText(outbox.messages), outboxText(outbox), outbox.messages > 0 ? 'warn' : 'good'),
    unready.length === 0
      ? tile('Ready', 'Yes', Object.keys(stats.ready).join(', '), 'good')
      : tile('Ready', 'No', `Not ready: ${unready.map(([part]) => part).join(', ')}`, 'bad'),
  ]
}

function outboxText({ messages, oldestSeconds }: NonNullable<Stats['outbox']>): string {
  return messages === 0 ? 'The app has everything' : `The oldest waits for ${durationText(oldestSeconds)}`
}

function byState({ byState: counts, departed }: Stats): TemplateResult {
  const shown = Object.entries(counts).filter(([, count]) => count > 0)
  return html`${shown.map(([state, count]) => {
    const { word } = states[state as StationState]
    return html`<a href=${stationsLink({ state })}>${numberText(count)} ${word.toLowerCase()}</a> `
  })}
  ${departed === 0 ? nothing : html`<a href=${stationsLink({ state: 'disconnected' })}>${numberText(departed)} disconnected</a>`}`
}
