/**
 * Small parts that several pages show.
 */
import type { StationState } from '../../admin/answers.ts'
import { stationsLink } from '../model/places.ts'
import { signs, states, type Tone } from '../model/states.ts'
import { visible } from '../model/text.ts'
import { agoText, dateText } from '../model/time.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'

/** A state by sign, word and tone. */
export function stateBadge(state: StationState): TemplateResult {
  const { sign, word, tone, meaning } = states[state]
  return html`<span class="state ${tone}" title=${meaning}><span aria-hidden="true">${sign}</span> ${word}</span>`
}

/** A time as its distance, with the whole time for those who point at it. */
export function timeAgo(time: string | null, now: number): TemplateResult | string {
  if (time === null) return '–'
  return html`<time datetime=${time} title=${dateText(time)}>${agoText(time, now)}</time>`
}

/** Text of a station or of the app, in a fixed width. */
export function code(text: string): TemplateResult {
  return html`<code>${visible(text)}</code>`
}

/** What a place says that has nothing to show: why, and what to do. */
export function emptyNote(title: string, text: string | TemplateResult): TemplateResult {
  return html`<div class="note">
    <p class="note-title">${title}</p>
    <p>${text}</p>
  </div>`
}

export function noTroubleNote(title: string): TemplateResult {
  return emptyNote(
    title,
    html`No station has a trouble now, or had one in the last hour. Stations that left are under
      <a href=${stationsLink({ state: 'disconnected' })}>Disconnected</a>.`,
  )
}

export function loadingNote(what: string): TemplateResult {
  return html`<div class="note" role="status"><p>${what} …</p></div>`
}

export function errorNote(title: string, error: Error): TemplateResult {
  return html`<div class="note bad" role="alert">
    <p class="note-title">${title}</p>
    <p>${visible(error.message)}</p>
  </div>`
}

export type Fact = readonly [name: string, value: unknown]

/** Names and values, in columns, without those that are not known. */
export function factList(facts: readonly Fact[]): TemplateResult {
  const known = facts.filter(([, value]) => value !== null)
  return html`<dl class="facts">
    ${known.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** A part of a page with its heading. */
export function section(id: string, title: string, content: unknown, aside: unknown = nothing): TemplateResult {
  return html`<section class="card" aria-labelledby=${id}>
    <header class="card-head">
      <h2 id=${id}>${title}</h2>
      ${aside}
    </header>
    ${content}
  </section>`
}

export function toned(tone: Tone, text: unknown): TemplateResult {
  return html`<span class="state ${tone}"><span aria-hidden="true">${signs[tone]}</span> ${text}</span>`
}

/** One figure of the overview. A tone that matters has a sign, too. */
export function tile(name: string, value: string, detail: TemplateResult | string, tone: Tone): TemplateResult {
  const sign = tone === 'quiet' ? nothing : html`<span class="sign" aria-hidden="true">${signs[tone]}</span>`
  return html`<div class="tile ${tone}">
    <h2>${name}</h2>
    <p class="figure">${sign}${value}</p>
    <p class="detail">${detail}</p>
  </div>`
}
