/**
 * Fields of a form, made from a schema.
 */
import { emptyValue, labelOf, pointerOf, typedValue, valueAt, withValue, type Path } from '../model/form.ts'
import { ruleText, type Schema, type Violation } from '../model/schema.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'

export type Form = {
  readonly schema: Schema
  /** The whole payload. */
  readonly value: unknown
  readonly violations: readonly Violation[]
  onChange(value: unknown): void
}

export function formFields(form: Form): TemplateResult {
  const { schema } = form
  const given = form.value ?? emptyValue(schema)
  const fields = membersOf({ ...form, value: given }, schema, [])
  return fields.length === 0 ? html`<p class="help">This command has no fields.</p>` : html`${fields}`
}

/** Required members first. `customData` is for extensions of a vendor: the editor has it. */
function membersOf(form: Form, schema: Schema, path: Path): readonly TemplateResult[] {
  const isRequired = (name: string) => schema.required?.includes(name) === true
  const names = Object.keys(schema.properties ?? {}).filter(name => name !== 'customData')
  return [...names.filter(isRequired), ...names.filter(name => !isRequired(name))].map(name =>
    field(form, schema.properties?.[name] ?? {}, [...path, name], isRequired(name)),
  )
}

function field(form: Form, schema: Schema, path: Path, isRequired: boolean): TemplateResult {
  if (schema.type === 'object') return group(form, schema, path, isRequired)
  if (schema.type === 'array') return listOf(form, schema, path, isRequired)
  const id = `field${pointerOf(path)}`
  const fault = form.violations.find(({ path: at }) => at === pointerOf(path))
  const describedBy = [
    schema.description === undefined ? '' : `${id}-help`,
    fault === undefined ? '' : `${id}-fault`,
  ].join(' ')
  return html`<div class="field">
    <label for=${id}>${nameOf(path)}${isRequired ? html` <span class="need">required</span>` : nothing}</label>
    ${control(form, schema, path, id, describedBy.trim())}
    ${schema.description === undefined ? nothing : html`<p class="help" id="${id}-help">${shortOf(schema.description)}</p>`}
    ${fault === undefined ? nothing : html`<p class="error" id="${id}-fault">${sentenceOf(fault)}</p>`}
  </div>`
}

function control(form: Form, schema: Schema, path: Path, id: string, describedBy: string): TemplateResult {
  const value = valueAt(form.value, path)
  const onInput = (event: Event): void => {
    const text = (event.target as HTMLInputElement | HTMLSelectElement).value
    // An item that is emptied keeps its place.
    const emptied = typeof path.at(-1) === 'number' ? '' : undefined
    form.onChange(withValue(form.value, path, typedValue(text, schema) ?? emptied))
  }
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  const words = schema.type === 'boolean' ? ['true', 'false'] : schema.enum?.map(String)
  const help = describedBy === '' ? nothing : describedBy
  if (words !== undefined)
    return html`<select id=${id} aria-describedby=${help} @change=${onInput}>
      <option value="" ?selected=${text === ''}>–</option>
      ${words.map(word => html`<option value=${word} ?selected=${word === text}>${word}</option>`)}
    </select>`
  const isNumber = schema.type === 'integer' || schema.type === 'number'
  const isTime = schema.format === 'date-time'
  const onNow = (): void => form.onChange(withValue(form.value, path, new Date().toISOString()))
  return html`<span class="with-button">
    <input
      id=${id}
      type="text"
      inputmode=${isNumber ? 'decimal' : 'text'}
      placeholder=${isTime ? '2026-01-31T12:00:00Z' : ''}
      maxlength=${schema.maxLength ?? nothing}
      autocomplete="off"
      spellcheck="false"
      aria-describedby=${help}
      .value=${text}
      @input=${onInput}
    />
    ${isTime ? html`<button type="button" class="plain" @click=${onNow}>Now</button>` : nothing}
  </span>`
}

/** An object: an optional one is added first. */
function group(form: Form, schema: Schema, path: Path, isRequired: boolean): TemplateResult {
  const isThere = isRequired || valueAt(form.value, path) !== undefined
  const put = (value: unknown) => (): void => form.onChange(withValue(form.value, path, value))
  if (!isThere)
    return html`<div class="field">
      <button type="button" class="plain add" @click=${put(emptyValue(schema))}>+ ${nameOf(path)}</button>
    </div>`
  return html`<fieldset>
    <legend>
      ${nameOf(path)}
      ${isRequired ? html`<span class="need">required</span>` : removeButton(nameOf(path), put(undefined))}
    </legend>
    ${membersOf(form, schema, path)}
  </fieldset>`
}

function listOf(form: Form, schema: Schema, path: Path, isRequired: boolean): TemplateResult {
  const value = valueAt(form.value, path)
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  const item = schema.items ?? {}
  const put = (at: number, next: unknown) => (): void => form.onChange(withValue(form.value, [...path, at], next))
  const onLast = (): void => form.onChange(withValue(form.value, path, undefined))
  const fault = form.violations.find(({ path: at }) => at === pointerOf(path))
  return html`<fieldset>
    <legend>${nameOf(path)} ${isRequired ? html`<span class="need">required</span>` : nothing}</legend>
    ${items.map((_, at) => {
      const remove = removeButton(`${nameOf(path)} ${at + 1}`, items.length === 1 ? onLast : put(at, undefined))
      return html`<div class="item">${field(form, item, [...path, at], true)}${remove}</div>`
    })}
    <button type="button" class="plain add" @click=${put(items.length, emptyValue(item) ?? '')}>+ Item</button>
    ${fault === undefined ? nothing : html`<p class="error">${sentenceOf(fault)}</p>`}
  </fieldset>`
}

function removeButton(name: string, onClick: () => void): TemplateResult {
  return html`<button type="button" class="plain" aria-label="Remove ${name}" @click=${onClick}>Remove</button>`
}

function nameOf(path: Path): string {
  const last = path.at(-1)
  return typeof last === 'number' ? `${last + 1}` : labelOf(last ?? '')
}

/** The first sentence. Descriptions of 2.x begin with the name of a field in UML. */
function shortOf(description: string): string {
  const text = description.replace(/^[\w. ]+\s(urn:x-[\w:.-]+)\s+/, '').trim()
  const [sentence = ''] = text.split(/(?<=\.)\s/)
  return sentence.slice(0, 200)
}

function sentenceOf({ rule }: Violation): string {
  return `${ruleText(rule).replace(/^./, first => first.toUpperCase())}.`
}
