/**
 * All stations, of which only the rows are drawn that are seen.
 */
import type { AnswerOf } from '../../admin/routes.ts'
import { queryOf, stationsLink, type Filter } from '../model/places.ts'
import { Rates } from '../model/rates.ts'
import { drawnRows, pagesOf, type Range } from '../model/rows.ts'
import { numberText } from '../model/text.ts'
import { openPoll, type Poll } from '../net/poll.ts'
import { openStream, type Stream } from '../net/stream.ts'
import { html, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { errorNote, loadingNote } from '../views/parts.ts'
import { filterBar, noneFound, tableHead, tableRow, type Row } from '../views/table.ts'
import { repeat } from '../vendor/lit-html/directives/repeat.js'
import { asking, type Context, type Page } from './page.ts'

type StationPage = AnswerOf<'listStations'>

const pageSize = 200
const everyMs = 2_500

export class StationsPage implements Page {
  readonly title = 'Stations'
  readonly #context: Context
  readonly #poll: Poll
  readonly #events: Stream
  readonly #rates = new Rates()
  #filter: Filter
  /** In the order of the list; each begins where the one before it ends. */
  #pages: StationPage[] = []
  #isLive = false
  #error: Error | null = null
  #range: Range = { from: 0, to: 0 }
  /** Counts changes of the filter: an answer for an older one is of no use. */
  #asked = 0

  constructor(context: Context, filter: Filter) {
    this.#context = context
    this.#filter = filter
    this.#poll = openPoll(everyMs, () => this.#refresh())
    this.#events = openStream('/v1/events', ['event', 'lost'], {
      onEvent: () => this.#poll.soon(),
      onState: state => {
        this.#isLive = state === 'open'
        context.redraw()
      },
    })
    document.addEventListener('keydown', this.#onKey)
  }

  /** Shows other stations; the page stays. */
  show(filter: Filter): void {
    this.#filter = filter
    this.#pages = []
    this.#asked++
    document.getElementById('rows')?.scrollTo(0, 0)
    this.#poll.now()
    this.#context.redraw()
  }

  view(): TemplateResult {
    const matched = this.#pages[0]?.matched ?? null
    const found = matched === null ? '' : `${numberText(matched)} ${matched === 1 ? 'station' : 'stations'}`
    return html`<main id="main" class="page list-page">
      <div class="title-line">
        <h1 tabindex="-1">Stations</h1>
        <p class="under-title" role="status">${found}</p>
        <span class="live ${this.#isLive ? 'on' : ''}">${this.#isLive ? 'Live' : 'Connecting …'}</span>
      </div>
      ${filterBar(this.#filter, filter => this.#onFilter(filter))} ${this.#table(matched)}
    </main>`
  }

  drawn(): void {
    const range = this.#rangeNow()
    if (range.from === this.#range.from && range.to === this.#range.to) return
    this.#range = range
    if (pagesOf(range, pageSize).some(page => this.#pages[page] === undefined)) this.#poll.now()
    this.#context.redraw()
  }

  close(): void {
    this.#poll.close()
    this.#events.close()
    document.removeEventListener('keydown', this.#onKey)
  }

  #table(matched: number | null): TemplateResult {
    if (matched === null)
      return this.#error === null
        ? loadingNote('Loading the stations')
        : errorNote('The list cannot be shown', this.#error)
    if (matched === 0) return noneFound(this.#filter)
    const { from, to } = this.#range
    const rows = Array.from({ length: Math.max(0, Math.min(to, matched) - from) }, (_, at) => this.#row(from + at))
    return html`<div class="table" role="table" aria-label="Stations" aria-rowcount=${matched + 1}>
      ${tableHead()}
      <div id="rows" class="rows" role="rowgroup" @scroll=${this.#onScroll} @keydown=${onArrow}>
        <div class="rows-all" role="presentation" .style=${`--rows: ${matched}; --from: ${from}`}>
          ${repeat(
            rows,
            ({ index, station }) => station?.id ?? `row ${index}`,
            row => tableRow(row, this.#context.now()),
          )}
        </div>
      </div>
    </div>`
  }

  #row(index: number): Row {
    const station = this.#pages[Math.floor(index / pageSize)]?.stations[index % pageSize] ?? null
    return { index, station, steps: station === null ? [] : this.#rates.of(station.id) }
  }

  #rangeNow(): Range {
    const rows = document.getElementById('rows')
    if (rows === null) return drawnRows(0, window.innerHeight, 40, this.#pages[0]?.matched ?? 0)
    const rowHeight = Number.parseFloat(getComputedStyle(rows).getPropertyValue('--row-height'))
    return drawnRows(rows.scrollTop, rows.clientHeight, rowHeight, this.#pages[0]?.matched ?? 0)
  }

  /** Asks for the pages that are seen, and for those before them that are not known. */
  async #refresh(): Promise<void> {
    const asked = this.#asked
    this.#error = await asking(this.#context, async () => {
      const seen = pagesOf(this.#range, pageSize)
      const last = Math.max(...seen)
      for (let page = 0; page <= last; page++) {
        const before = this.#pages[page - 1]
        if (page > 0 && (before === undefined || before.next === null)) return
        if (!seen.includes(page) && this.#pages[page] !== undefined) continue
        const cursor = before?.next ?? null
        const more = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const query = `${queryOf(this.#filter)}&limit=${pageSize}${more}`
        const answer = await this.#context.api.get<'listStations'>(`/v1/stations?${query}`)
        if (asked !== this.#asked) return
        this.#pages[page] = answer
        for (const { id, messages } of answer.stations) this.#rates.add(id, messages)
      }
    })
    if (asked !== this.#asked) await this.#refresh()
  }

  #onFilter(filter: Filter): void {
    history.replaceState(null, '', stationsLink(filter))
    this.show(filter)
  }

  readonly #onScroll = (): void => this.drawn()

  /** `/` goes to the search, as in many programs. */
  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== '/' || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement)
      return
    event.preventDefault()
    document.getElementById('search')?.focus()
  }
}

/** The arrows go from row to row. */
function onArrow(event: KeyboardEvent): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
  const row = event.target instanceof Element ? event.target.closest('.row') : null
  const next = event.key === 'ArrowDown' ? row?.nextElementSibling : row?.previousElementSibling
  const link = next?.querySelector('a')
  if (!link) return
  event.preventDefault()
  link.focus()
}
