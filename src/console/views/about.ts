/**
 * What is known of a station, and what is wrong with it.
 */
import type { StationView } from '../../admin/answers.ts'
import type { Finding } from '../model/diagnosis.ts'
import { signs } from '../model/states.ts'
import { bytesText, countText, numberText, visible } from '../model/text.ts'
import { durationText } from '../model/time.ts'
import { html, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { code, factList, timeAgo } from './parts.ts'

export function findingList(findings: readonly Finding[]): TemplateResult {
  if (findings.length === 0)
    return html`<p class="finding good">
      <span class="sign" aria-hidden="true">●</span>
      <span
        ><strong>Nothing that the bridge can see.</strong> It is connected, and its last messages were answered.</span
      >
    </p>`
  return html`<ul class="findings">
    ${findings.map(
      ({ tone, says, advice }) =>
        html`<li class="finding ${tone}">
          <span class="sign" aria-hidden="true">${signs[tone]}</span>
          <span><strong>${visible(says)}</strong> ${advice}</span>
        </li>`,
    )}
  </ul>`
}

export function stationFacts(view: StationView, now: number): TemplateResult {
  const { sn, address, connectedAt, lastMessageAt, tls, profile, url, streams, queues, sid, heartbeatSeconds } = view
  const waiting = [
    countText(queues.messages, 'message'),
    bytesText(queues.messageBytes),
    countText(queues.commands, 'command'),
  ]
  return html`${factList([
    ['Serial number for the app', sn === null ? null : code(sn)],
    ['Address', address === null ? null : code(address)],
    ['Connected', connectedAt === null ? null : timeAgo(connectedAt, now)],
    ['Last message', lastMessageAt === null ? null : timeAgo(lastMessageAt, now)],
    ['Heartbeat interval', heartbeatSeconds === null ? null : durationText(heartbeatSeconds)],
    ['Encrypted', tls === null ? null : tls ? 'Yes, up to the bridge' : 'No'],
    ['Security profile', profile],
    ['URL for the app', url === null ? null : code(url)],
    ['Streams', streams.length === 0 ? null : streams.map(code)],
    ['Connection id', sid === null ? null : code(sid)],
    ['Waiting', sid === null ? null : waiting.join(', ')],
  ])}
  ${openCalls(view)} ${countTable('Messages from the station', view.counts.fromStation)}
  ${countTable('Commands to the station', view.counts.toStation)} ${errorTable(view, now)}`
}

function openCalls({ calls }: StationView): TemplateResult | string {
  const all = [
    ...calls.fromStation.map(call => ({ ...call, who: 'waits for the app' })),
    ...calls.toStation.map(call => ({ ...call, who: 'waits for the station' })),
  ]
  if (all.length === 0) return ''
  return html`<h3>Without an answer</h3>
    <ul class="lines">
      ${all.map(
        ({ action, seconds, who }) =>
          html`<li>${code(action)} ${who} ${seconds === null ? 'to be sent' : `since ${durationText(seconds)}`}</li>`,
      )}
    </ul>`
}

function countTable(title: string, counts: Readonly<Record<string, number>>): TemplateResult | string {
  const sorted = Object.entries(counts).sort(([, one], [, other]) => other - one)
  if (sorted.length === 0) return ''
  return html`<h3>${title}</h3>
    <dl class="counts">
      ${sorted.map(
        ([action, count]) =>
          html`<div>
            <dt>${visible(action)}</dt>
            <dd>${numberText(count)}</dd>
          </div>`,
      )}
    </dl>`
}

function errorTable({ errors }: StationView, now: number): TemplateResult | string {
  if (errors.length === 0) return ''
  return html`<h3>Last errors</h3>
    <ul class="lines">
      ${errors.map(
        ({ at, from, action, code: errorCode, description, cause }) =>
          html`<li>
            <span class="muted">${timeAgo(at, now)}</span> ${code(action)}
            <span class="bad-text">${visible(errorCode)}</span> from the ${from}
            <span class="muted">${visible(description)} (${visible(cause)})</span>
          </li>`,
      )}
    </ul>`
}
