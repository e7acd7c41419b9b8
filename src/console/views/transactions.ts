/**
 * The transactions of a station, as far as its frames were seen, and its messages that the app does not have yet.
 */
import type { AnswerOf } from '../../admin/routes.ts'
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

export type Stored = AnswerOf<'listOutbox'>

export function storedList({ messages, next }: Stored, now: number): TemplateResult {
  return html`<ul class="lines">
      ${messages.map(each => storedLine(each, now))}
    </ul>
    ${next === null ? nothing : html`<p class="help">There are more; <code>ocpp-cable outbox</code> lists all of them.</p>`}`
}

function storedLine({ action, state, storedAt, attempts, error }: Stored['messages'][number], now: number) {
  const isDead = state === 'dead'
  return html`<li>
    ${code(action)} ${isDead ? toned('bad', 'Given up') : toned('warn', 'Waits')}
    <span class="muted"
      >stored ${timeAgo(storedAt, now)}${attempts === 0 ? '' : `, ${countText(attempts, 'attempt')}`}</span
    >
    ${error === null ? nothing : html`<p class="muted">${visible(error)}</p>`}
    ${
      isDead
        ? html`<p class="help">
            The app raised on it for too long. Mend the app, and deliver it again with
            <code>ocpp-cable outbox retry</code>.
          </p>`
        : nothing
    }
  </li>`
}
