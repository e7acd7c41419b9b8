/**
 * A chart of values over time. The only import of uPlot.
 */
import uPlot from '../vendor/uplot/uPlot.esm.js'

export type Line = { readonly label: string; readonly tone: 'line-1' | 'line-2' | 'line-bad' }

/** Values of a line; `null` where there is none. */
export type Values = readonly (number | null)[]

const height = 130

export class Chart {
  readonly #plot: uPlot
  readonly #resize: ResizeObserver

  /** Draws in an element of the page, whose width it keeps to. */
  constructor(host: HTMLElement, lines: readonly Line[], unit: string) {
    const style = getComputedStyle(host)
    const colour = (name: string) => () => style.getPropertyValue(`--${name}`)
    const axis = { stroke: colour('muted'), grid: { stroke: colour('border'), width: 1 }, ticks: { show: false } }
    const font = '11px system-ui, sans-serif'
    const options: uPlot.Options = {
      width: host.clientWidth,
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      axes: [
        { ...axis, font, size: 26, space: 70, values: (_, splits) => splits.map(timeText) },
        {
          ...axis,
          font,
          size: 56,
          space: 34,
          values: (_, splits) => splits.map(value => `${shortText(value)}${unit}`),
        },
      ],
      series: [
        {},
        ...lines.map(({ label, tone }) => ({ label, stroke: colour(tone), width: 1.5, points: { show: false } })),
      ],
    }
    this.#plot = new uPlot(options, [[], ...lines.map(() => [])], host)
    this.#resize = new ResizeObserver(() => this.#plot.setSize({ width: host.clientWidth, height }))
    this.#resize.observe(host)
  }

  /** @param times in ms since the epoch */
  draw(times: readonly number[], values: readonly Values[]): void {
    this.#plot.setData([times.map(time => time / 1000), ...values.map(line => [...line])])
  }

  close(): void {
    this.#resize.disconnect()
    this.#plot.destroy()
  }
}

function timeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  const two = (part: number) => String(part).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function shortText(value: number): string {
  return value >= 1000 ? `${Math.round(value / 100) / 10}k` : String(Math.round(value * 100) / 100)
}
