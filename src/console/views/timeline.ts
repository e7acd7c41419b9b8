/**
 * The frames of a station, latest first: a CALL and its answer in one line, which opens to show both.
 */
import type { FrameView, StationView } from '../../admin/answers.ts'
import { frameJson, payloadOf, resultOf, type Entry } from '../model/frames.ts'
import type { Found } from '../model/inspection.ts'
import { violationText } from '../model/schema.ts'
import { countText, visible } from '../model/text.ts'
import { clockText, dateText, msText } from '../model/time.ts'
import type { StreamState } from '../net/stream.ts'
import type { Context } from '../pages/page.ts'
import type { Schemas } from '../pages/schemas.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { repeat } from '../vendor/lit-html/directives/repeat.js'
import { jsonBlock, rawBlock } from './json.ts'
import { emptyNote } from './parts.ts'

export type TimelineContext = {
  readonly view: StationView
  readonly state: StreamState
  readonly history: { readonly kept: number; readonly until: string | null }
  readonly onKeep: () => Promise<void>
}

/** An answer that takes longer is marked. */
const slowMs = 3_000
const mostShown = 200

export class TimelinePanel {
  readonly #context: Context
  readonly #schemas: Schemas
  readonly #opened = new Set<string>()
  /** Entries that are shown while the timeline stands still. */
  #held: readonly Entry[] | null = null
  #onlyTrouble = false
  #action = ''

  constructor(context: Context, schemas: Schemas) {
    this.#context = context
    this.#schemas = schemas
  }

  tools(state: StreamState): TemplateResult {
    const word = { connecting: 'Connecting …', open: 'Live', lost: 'Connection lost, trying again' }[state]
    const isHeld = this.#held !== null
    return html`<span class="tools">
      <span class="live ${state === 'open' && !isHeld ? 'on' : ''}" role="status">${isHeld ? 'Paused' : word}</span>
      <input
        type="search"
        placeholder="Action"
        aria-label="Show one action only"
        spellcheck="false"
        @input=${(event: Event) => this.#set(() => (this.#action = (event.target as HTMLInputElement).value))}
      />
      <label
        ><input type="checkbox" @change=${() => this.#set(() => (this.#onlyTrouble = !this.#onlyTrouble))} /> Trouble
        only</label
      >
      <button class="plain" aria-pressed=${isHeld} @click=${() => this.#set(() => (this.#held = isHeld ? null : []))}>
        ${isHeld ? 'Go on' : 'Pause'}
      </button>
    </span>`
  }

  view(entries: readonly Entry[], about: TimelineContext): TemplateResult {
    if (this.#held?.length === 0) this.#held = entries
    const all = (this.#held ?? entries).map(entry => ({
      entry,
      violations: this.#schemas.violationsIn(entry, about.view.version),
    }))
    const shown = all.filter(each => this.#isShown(each)).slice(0, mostShown)
    return html`${this.#keeping(about)}
    ${
      shown.length === 0
        ? noFrames(all.length, about)
        : html`<ol class="timeline">
            ${repeat(
              shown,
              ({ entry }) => entry.key,
              ({ entry, violations }) => this.#line(entry, violations),
            )}
          </ol>`
    }`
  }

  #set(change: () => void): void {
    change()
    this.#context.redraw()
  }

  #isShown({ entry, violations }: { readonly entry: Entry; readonly violations: readonly Found[] }): boolean {
    if (this.#onlyTrouble && violations.length === 0 && !resultOf(entry).isError) return false
    return (entry.action ?? '').toLowerCase().includes(this.#action.trim().toLowerCase())
  }

  #keeping({ history: { kept, until }, onKeep }: TimelineContext): TemplateResult | string {
    if (kept > 0)
      return html`<p class="help">
        The bridge keeps the last ${countText(kept, 'frame')} of this
        station${until === null ? '' : ` until ${dateText(until)}`}.
      </p>`
    if (this.#context.grant === 'read token') return ''
    return html`<p class="help">
      Frames are shown from now on. The bridge keeps none for later.
      <button class="plain" @click=${() => void onKeep()}>Keep 200 frames for an hour</button>
    </p>`
  }

  #line(entry: Entry, violations: readonly Found[]): TemplateResult {
    const { key, at, from, action, answer } = entry
    const { word, isError } = resultOf(entry)
    const ms = answer?.milliseconds ?? null
    const isOpen = this.#opened.has(key)
    const onToggle = (event: Event): void => {
      const details = event.target as HTMLDetailsElement
      if (details.open === isOpen) return
      if (details.open) this.#opened.add(key)
      else this.#opened.delete(key)
      this.#context.redraw()
    }
    return html`<li class="entry ${isError || violations.length > 0 ? 'trouble' : ''}">
      <details .open=${isOpen} @toggle=${onToggle}>
        <summary>
          <time datetime=${at} title=${dateText(at)}>${clockText(at)}</time>
          <span class="way" title=${from === 'station' ? 'From the station' : 'To the station'}>
            <span aria-hidden="true">${from === 'station' ? '→' : '←'}</span>
            <span class="unseen">${from === 'station' ? 'from the station' : 'to the station'}</span>
          </span>
          <span class="action">${action === null ? 'unknown action' : visible(action)}</span>
          <span class="result ${isError ? 'bad-text' : ''}">
            ${isError ? html`<span aria-hidden="true">✕</span>` : nothing} ${visible(word)}
          </span>
          ${violations.length === 0 ? nothing : html`<span class="mark">▲ ${countText(violations.length, 'violation')}</span>`}
          <span class="ms ${ms !== null && ms > slowMs ? 'bad-text' : ''}">${ms === null ? '' : msText(ms)}</span>
        </summary>
        ${isOpen ? entryBody(entry, violations) : nothing}
      </details>
    </li>`
  }
}

function entryBody({ first, answer, id }: Entry, violations: readonly Found[]): TemplateResult {
  return html`<div class="entry-body">
    ${id === null ? nothing : html`<p class="help">Message id <code>${visible(id)}</code></p>`}
    ${
      violations.length === 0
        ? nothing
        : html`<ul class="violations">
            ${violations.map(
              found => html`<li>The ${found.where} breaks its schema at ${visible(violationText(found))}</li>`,
            )}
          </ul>`
    }
    <div class="pair">
      ${frameBlock(first === null ? 'The CALL passed before this page began' : frameTitle(first), first)}
      ${frameBlock(answer === null ? 'No answer' : 'Answer', answer)}
    </div>
  </div>`
}

function frameTitle({ type }: FrameView): string {
  return (
    { call: 'CALL', send: 'SEND, which has no answer', malformed: 'A message that cannot be read' }[type as string] ??
    type
  )
}

function frameBlock(title: string, frame: FrameView | null): TemplateResult {
  if (frame === null) return html`<div><h3>${title}</h3></div>`
  const json = frameJson(frame)
  return html`<div>
    <h3>${title}</h3>
    ${json === null ? rawBlock(frame.frame) : jsonBlock(payloadOf(frame) ?? json)}
  </div>`
}

function noFrames(hidden: number, { view, state }: TimelineContext): TemplateResult {
  if (hidden > 0) return emptyNote('No message fits', 'The filter hides all of them.')
  if (view.sid === null)
    return emptyNote('No messages', 'The station is not connected. Its messages show here when it is back.')
  if (state !== 'open') return emptyNote('No messages yet', 'The page connects to the bridge.')
  return emptyNote(
    'No messages yet',
    'They show here as they pass. A station that is idle sends one every few minutes.',
  )
}
