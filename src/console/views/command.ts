/**
 * Sends a command: the form is made from the official schema, and the answer is shown beside it.
 */
import type { StationView } from '../../admin/answers.ts'
import type { AnswerOf } from '../../admin/routes.ts'
import { emptyValue } from '../model/form.ts'
import { violationsOf, violationText, type Schema, type Violation } from '../model/schema.ts'
import { visible } from '../model/text.ts'
import { msText } from '../model/time.ts'
import { Refusal } from '../net/api.ts'
import { asking, type Context } from '../pages/page.ts'
import type { Schemas } from '../pages/schemas.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { formFields } from './form.ts'
import { jsonBlock } from './json.ts'
import { emptyNote, errorNote } from './parts.ts'

type Outcome =
  | { readonly kind: 'waiting'; readonly action: string }
  | { readonly kind: 'answer'; readonly answer: AnswerOf<'callStation'> }
  | { readonly kind: 'error'; readonly action: string; readonly error: Error }

export class CommandPanel {
  readonly #context: Context
  readonly #schemas: Schemas
  readonly #path: string
  #action = ''
  #value: unknown = {}
  /** The text of the editor, while it is shown instead of the form. */
  #text: string | null = null
  #isChecked = false
  #outcome: Outcome | null = null

  /** @param path of the station in the admin API */
  constructor(context: Context, schemas: Schemas, path: string) {
    this.#context = context
    this.#schemas = schemas
    this.#path = path
  }

  view({ version, state, sid }: StationView): TemplateResult {
    if (this.#context.grant === 'read token')
      return emptyNote('Read only', 'This token may look, but not send. Sign in with the value of admin_token to send.')
    if (sid === null || version === null) return emptyNote('Not connected', 'A command needs a connected station.')
    if (state === 'attaching')
      return emptyNote('Not accepted yet', 'A command can be sent once the app has accepted the station.')
    const names = this.#schemas.actions(version)
    const schema = this.#action === '' ? null : (this.#schemas.of(version, this.#action)?.request ?? null)
    return html`<form class="command" novalidate @submit=${(event: Event) => this.#onSubmit(event, schema)}>
        <label for="command-action">Command of OCPP ${version}</label>
        <select id="command-action" @change=${this.#onAction}>
          <option value="">Choose a command</option>
          ${(names?.toStation ?? []).map(name => html`<option value=${name}>${name}</option>`)}
        </select>
        ${this.#action === '' ? nothing : schema === null ? html`<p class="help">Loading the form …</p>` : this.#fields(schema)}
      </form>
      <div aria-live="polite" id="command-outcome">
        ${this.#outcome === null ? nothing : outcomeView(this.#outcome)}
      </div>`
  }

  #fields(schema: Schema): TemplateResult {
    const violations = this.#isChecked ? violationsOf(this.#value, schema) : []
    const isText = this.#text !== null
    const onChange = (value: unknown): void => this.#set(() => (this.#value = value))
    const isWaiting = this.#outcome?.kind === 'waiting'
    return html`
      ${isText ? this.#editor() : formFields({ schema, value: this.#value, violations, onChange })}
      ${isText ? violationList('payload', violations) : nothing}
      ${this.#isChecked && violations.length > 0 ? html`<p class="error" role="alert">Not sent: the payload breaks the schema.</p>` : nothing}
      <div class="buttons">
        <button class="primary" ?disabled=${isWaiting}>${isWaiting ? 'Sent …' : `Send ${this.#action}`}</button>
        <button type="button" class="plain" aria-pressed=${isText} @click=${() => this.#onEditor(schema)}>
          ${isText ? 'As a form' : 'As JSON'}
        </button>
      </div>
    `
  }

  #editor(): TemplateResult {
    return html`<label for="command-json">Payload</label>
      <textarea
        id="command-json"
        rows="10"
        spellcheck="false"
        .value=${this.#text ?? ''}
        @input=${(event: Event) => (this.#text = (event.target as HTMLTextAreaElement).value)}
      ></textarea>`
  }

  #set(change: () => void): void {
    change()
    this.#context.redraw()
  }

  readonly #onAction = (event: Event): void => {
    this.#set(() => {
      this.#action = (event.target as HTMLSelectElement).value
      this.#value = null
      this.#text = null
      this.#isChecked = false
      this.#outcome = null
    })
  }

  #onEditor(schema: Schema): void {
    if (this.#text === null)
      return this.#set(() => (this.#text = JSON.stringify(this.#value ?? emptyValue(schema), null, 2)))
    const value = this.#parsed(this.#text)
    if (value !== undefined) this.#set(() => ((this.#value = value), (this.#text = null)))
  }

  /** `undefined`, and a message, for text that is no JSON. */
  #parsed(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch {
      this.#set(
        () => (this.#outcome = { kind: 'error', action: this.#action, error: new Error('The payload is not JSON.') }),
      )
      return undefined
    }
  }

  #onSubmit(event: Event, schema: Schema | null): void {
    event.preventDefault()
    if (schema === null) return
    const value = this.#text === null ? (this.#value ?? emptyValue(schema)) : this.#parsed(this.#text)
    if (value === undefined) return
    this.#set(() => ((this.#value = value), (this.#isChecked = true)))
    if (violationsOf(value, schema).length === 0) void this.#send(this.#action, value)
  }

  async #send(action: string, payload: unknown): Promise<void> {
    this.#set(() => (this.#outcome = { kind: 'waiting', action }))
    const body = JSON.stringify({ action, payload })
    const error = await asking(this.#context, async () => {
      const answer = await this.#context.api.send<'callStation'>('POST', `${this.#path}/calls`, body)
      this.#outcome = { kind: 'answer', answer }
    })
    if (error !== null) this.#set(() => (this.#outcome = { kind: 'error', action, error }))
  }
}

function outcomeView(outcome: Outcome): TemplateResult {
  if (outcome.kind === 'waiting')
    return html`<p class="outcome">${outcome.action} is sent. The station has not answered yet.</p>`
  if (outcome.kind === 'answer') return answerView(outcome.answer)
  const { error, action } = outcome
  if (!(error instanceof Refusal)) return errorNote(`${action} was not sent`, error)
  const { title, detail, details } = error.problem
  return html`<div class="outcome bad" role="alert">
    <p class="note-title"><span aria-hidden="true">✕</span> ${visible(title)}</p>
    ${detail === undefined ? nothing : html`<p>${visible(detail)}</p>`}
    ${details === undefined ? nothing : jsonBlock(details)}
  </div>`
}

function answerView({ action, payload, milliseconds, violations }: AnswerOf<'callStation'>): TemplateResult {
  const { status } = payload as { readonly status?: unknown }
  const word = typeof status === 'string' ? status : 'answered'
  return html`<div class="outcome">
    <p class="note-title">
      ${visible(action)}: ${visible(word)} <span class="muted">after ${msText(milliseconds)}</span>
    </p>
    ${violationList('answer', violations)} ${jsonBlock(payload)}
  </div>`
}

function violationList(what: string, violations: readonly Violation[]): TemplateResult | string {
  if (violations.length === 0) return ''
  return html`<ul class="violations">
    ${violations.map(each => html`<li>The ${what} breaks its schema at ${visible(violationText(each))}</li>`)}
  </ul>`
}
