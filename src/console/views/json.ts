/**
 * JSON, indented, with a class for each kind of token. All of it is text: nothing that a station says becomes markup.
 */
import { visible } from '../model/text.ts'
import { html, type TemplateResult } from '../vendor/lit-html/lit-html.js'

/** Texts with their escapes, names with their colons, numbers and words, and what is between them. */
const token = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null|[^"\d\w-]+|./g

export function jsonBlock(value: unknown): TemplateResult {
  const text = JSON.stringify(value, null, 2)
  const parts = Array.from(text.matchAll(token), ([whole, quoted, colon]) => {
    if (quoted === undefined)
      return /^[\s{}[\],:]+$/.test(whole) ? whole : html`<span class="json-value">${visible(whole)}</span>`
    const kind = colon === undefined ? 'json-text' : 'json-name'
    return html`<span class=${kind}>${visible(quoted)}</span>${colon ?? ''}`
  })
  return html`<pre class="json" tabindex="0">${parts}</pre>`
}

/** A frame that is no JSON, or that is cut. */
export function rawBlock(text: string): TemplateResult {
  return html`<pre class="json" tabindex="0">${visible(text)}</pre>`
}
