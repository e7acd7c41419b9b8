/**
 * What the log warned about.
 */
import type { AnswerOf } from '../../admin/routes.ts'
import { stationLink } from '../model/places.ts'
import { visible } from '../model/text.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { emptyNote, timeAgo, toned } from './parts.ts'

type Warning = AnswerOf<'listWarnings'>['warnings'][number]

/** Fields that say nothing here, or that the line shows by itself. */
const hidden = ['nodeid', 'context', 'station', 'sid']

export function warningList(warnings: readonly Warning[], now: number): TemplateResult {
  if (warnings.length === 0) return emptyNote('None', 'The log has had no warning since the bridge was started.')
  return html`<ul class="lines warnings">
    ${warnings.map(each => warningLine(each, now))}
  </ul>`
}

function warningLine({ at, level, message, fields }: Warning, now: number): TemplateResult {
  const given = fields as Readonly<Record<string, unknown>>
  const station = typeof given['station'] === 'string' ? given['station'] : null
  const rest = Object.entries(given).filter(([name]) => !hidden.includes(name))
  return html`<li>
    ${level === 'error' ? toned('bad', 'Error') : toned('warn', 'Warning')}
    ${station !== null ? html`<a class="id" href=${stationLink(station)}>${visible(station)}</a>` : nothing}
    <span class="muted">${timeAgo(at, now)}</span>
    <p>${visible(message)}</p>
    ${rest.length === 0 ? nothing : html`<p class="fields">${rest.map(([name, value]) => fieldText(name, value))}</p>`}
  </li>`
}

function fieldText(name: string, value: unknown): TemplateResult {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return html`<span><span class="muted">${visible(name)}</span> ${visible(text)}</span> `
}
