/**
 * The transactions of a station, as far as its frames were seen.
 */
import type { Transaction } from '../model/transactions.ts'
import { countText, numberText, visible } from '../model/text.ts'
import { durationText } from '../model/time.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { code, emptyNote, timeAgo, toned } from './parts.ts'

export function transactionList(transactions: readonly Transaction[], now: number): TemplateResult {
  if (transactions.length === 0)
    return emptyNote('None', 'No message of a transaction has passed since this page or its history began.')
  return html`<ul class="lines">
    ${transactions.map(each => transactionLine(each, now))}
  </ul>`
}

function transactionLine(transaction: Transaction, now: number): TemplateResult {
  const { id, startedAt, endedAt, seenAt, outlet, energyWh, messages, reason } = transaction
  const state = endedAt === null ? toned('good', 'Running') : toned('quiet', 'Ended')
  const seconds =
    startedAt === null ? null : ((endedAt === null ? now : Date.parse(endedAt)) - Date.parse(startedAt)) / 1000
  const facts = [
    outlet,
    seconds === null ? 'began before this page' : durationText(seconds),
    energyWh === null ? '' : `${numberText(energyWh / 1000)} kWh`,
    countText(messages, 'message'),
    reason === null || reason === '' ? '' : `reason ${visible(reason)}`,
  ]
  return html`<li>
    ${state} ${id === null ? html`<span class="muted">no id yet</span>` : code(id)}
    <span class="muted">${facts.filter(fact => fact !== '').join(' · ')}</span>
    ${endedAt === null ? html`<span class="muted">last seen ${timeAgo(seenAt, now)}</span>` : nothing}
  </li>`
}
