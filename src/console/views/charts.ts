/**
 * The charts of the overview: messages, errors and the app's answers over the last ten minutes.
 */
import type { AnswerOf } from '../../admin/routes.ts'
import { numberText } from '../model/text.ts'
import { msText } from '../model/time.ts'
import { html, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { Chart, type Line } from './chart.ts'
import { section } from './parts.ts'

type Series = AnswerOf<'getSeries'>
type Sample = Series['samples'][number]

type Plotted = {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly lines: readonly (Line & { readonly of: (sample: Sample) => number | null })[]
  /** The latest values, in words. */
  readonly says: (sample: Sample) => string
}

const plotted: readonly Plotted[] = [
  {
    id: 'messages',
    title: 'Messages per second',
    unit: '',
    lines: [
      { label: 'from stations', tone: 'line-1', of: sample => sample.received },
      { label: 'to stations', tone: 'line-2', of: sample => sample.sent },
    ],
    says: sample => `${numberText(sample.received)} from stations, ${numberText(sample.sent)} to stations`,
  },
  {
    id: 'errors',
    title: 'Errors per second',
    unit: '',
    lines: [{ label: 'errors', tone: 'line-bad', of: sample => sample.errors }],
    says: sample => `${numberText(sample.errors)} errors`,
  },
  {
    id: 'answers',
    title: 'How long the app takes',
    unit: ' ms',
    lines: [
      { label: 'mean', tone: 'line-1', of: sample => sample.rpcMeanMs },
      { label: '95 of 100 calls', tone: 'line-2', of: sample => sample.rpcP95Ms },
    ],
    says: ({ rpcMeanMs, rpcP95Ms }) =>
      rpcMeanMs === null ? 'no calls' : `mean ${msText(rpcMeanMs)}, 95 of 100 within ${msText(rpcP95Ms ?? 0)}`,
  },
]

export class Charts {
  readonly #charts = new Map<string, Chart>()

  view({ samples }: Series): TemplateResult {
    const latest = samples.at(-1)
    return html`<div class="charts">
      ${plotted.map(({ id, title, lines, says }) => {
        const text = latest === undefined ? 'The first values come after five seconds.' : `Now ${says(latest)}.`
        const legend = html`<span class="legend"
          >${lines.map(({ label, tone }) => html`<span class=${tone}>${label}</span>`)}</span
        >`
        const body = html`<div
          class="chart"
          id="chart-${id}"
          role="img"
          aria-label="${title}, the last ten minutes. ${text}"
        ></div>`
        return section(
          `chart-title-${id}`,
          title,
          html`${body}
            <p class="under-chart">${text}</p>`,
          legend,
        )
      })}
    </div>`
  }

  /** Called when the elements are there. */
  draw({ samples }: Series): void {
    const times = samples.map(({ at }) => Date.parse(at))
    for (const { id, lines, unit } of plotted) {
      const host = document.getElementById(`chart-${id}`)
      if (host === null) continue
      const chart = this.#charts.get(id) ?? new Chart(host, lines, unit)
      this.#charts.set(id, chart)
      chart.draw(
        times,
        lines.map(line => samples.map(line.of)),
      )
    }
  }

  close(): void {
    for (const chart of this.#charts.values()) chart.close()
    this.#charts.clear()
  }
}
