/**
 * The table of stations: its filter, its head and a row.
 */
import type { StationSummary } from '../../admin/answers.ts'
import { troubleTexts } from '../model/diagnosis.ts'
import { stationLink, type Filter } from '../model/places.ts'
import { sparkline } from '../model/rates.ts'
import { states } from '../model/states.ts'
import { numberText, visible } from '../model/text.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { emptyNote, noTroubleNote, stateBadge, timeAgo } from './parts.ts'

export type Row = {
  readonly index: number
  /** `null` until its page is known. */
  readonly station: StationSummary | null
  /** Messages between two looks, oldest first. */
  readonly steps: readonly number[]
}

type Choice = readonly [value: string, text: string]

const stateChoices: readonly Choice[] = [
  ['', 'All states'],
  ['troubled', 'In trouble'],
  ['connected', 'Any connected'],
  ...Object.entries(states).map(([state, { word }]) => [state, word] as const),
]
const versionChoices: readonly Choice[] = [
  ['', 'All versions'],
  ['1.6', 'OCPP 1.6'],
  ['2.0.1', 'OCPP 2.0.1'],
  ['2.1', 'OCPP 2.1'],
]
const sortChoices: readonly Choice[] = [
  ['id', 'By identity'],
  ['-errors', 'Most errors first'],
  ['-lastMessageAt', 'Latest message first'],
  ['lastMessageAt', 'Longest silence first'],
  ['-connectedAt', 'Latest connection first'],
]

export function filterBar(filter: Filter, onFilter: (filter: Filter) => void): TemplateResult {
  const onInput = (event: Event): void => onFilter({ ...filter, search: (event.target as HTMLInputElement).value })
  const choice = (name: keyof Filter, label: string, choices: readonly Choice[]) =>
    html`<select
      aria-label=${label}
      .value=${filter[name]}
      @change=${(event: Event) => onFilter({ ...filter, [name]: (event.target as HTMLSelectElement).value })}
    >
      ${choices.map(([value, text]) => html`<option value=${value} ?selected=${value === filter[name]}>${text}</option>`)}
    </select>`
  return html`<form class="filter" role="search" @submit=${(event: Event) => event.preventDefault()}>
    <input
      id="search"
      type="search"
      placeholder="Identity, or a part of it"
      aria-label="Search by identity; * stands for any text"
      autocomplete="off"
      spellcheck="false"
      maxlength="60"
      .value=${filter.search}
      @input=${onInput}
    />
    ${choice('state', 'State', stateChoices)} ${choice('version', 'Version', versionChoices)}
    ${choice('sort', 'Order', sortChoices)}
  </form>`
}

export function tableHead(): TemplateResult {
  const names = ['Station', 'State', 'OCPP', 'Last message', 'Messages', 'Trouble', 'Left because']
  return html`<div role="rowgroup" class="table-head">
    <div class="row" role="row" aria-rowindex="1">
      ${names.map((name, at) => html`<span role="columnheader" class="cell-${at}">${name}</span>`)}
    </div>
  </div>`
}

export function tableRow({ index, station, steps }: Row, now: number): TemplateResult {
  const place = { at: index + 2, top: `--row: ${index}` }
  if (station === null)
    return html`<div class="row" role="row" aria-rowindex=${place.at} .style=${place.top}>
      <span role="cell" class="cell-0 muted">Loading …</span>
    </div>`
  const { id, state, version, lastMessageAt, connectedAt, leftAt, leftBecause, messages } = station
  const isGone = connectedAt === null
  return html`<div class="row" role="row" aria-rowindex=${place.at} .style=${place.top}>
    <span role="cell" class="cell-0"><a class="id" href=${stationLink(id)}>${visible(id)}</a></span>
    <span role="cell" class="cell-1">${stateBadge(state)}</span>
    <span role="cell" class="cell-2">${version ?? '–'}</span>
    <span role="cell" class="cell-3">
      ${isGone ? html`${state === 'refused' ? 'refused' : 'left'} ${timeAgo(leftAt, now)}` : timeAgo(lastMessageAt, now)}
    </span>
    <span role="cell" class="cell-4">${isGone ? '' : html`${spark(steps)}<span>${numberText(messages)}</span>`}</span>
    <span role="cell" class="cell-5">${troublesOf(station)}</span>
    <span role="cell" class="cell-6 muted" title=${leftBecause ?? ''}>
      ${isGone && leftBecause !== null ? visible(leftBecause) : nothing}
    </span>
  </div>`
}

function spark(steps: readonly number[]): TemplateResult {
  return html`<svg class="spark" viewBox="0 0 72 18" aria-hidden="true">
    <polyline points=${sparkline(steps, 72, 18)}></polyline>
  </svg>`
}

function troublesOf(station: StationSummary): TemplateResult | string {
  const texts = troubleTexts(station).map(visible).join('; ')
  return texts === ''
    ? ''
    : html`<span class="bad-text" title=${texts}><span aria-hidden="true">▲</span> ${texts}</span>`
}

export function noneFound(filter: Filter): TemplateResult {
  const isFiltered = filter.search !== '' || filter.state !== '' || filter.version !== ''
  if (!isFiltered)
    return emptyNote(
      'No station has connected yet',
      html`Stations connect to the stations' port of this bridge, not to this one. When one is refused, it is listed
      here with the reason.`,
    )
  if (filter.state === 'troubled' && filter.search === '' && filter.version === '')
    return noTroubleNote('No station is in trouble')
  return emptyNote(
    'No station fits',
    html`The search tells capital letters apart. <a href="#/stations">Show all stations</a>`,
  )
}
