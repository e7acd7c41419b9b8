/**
 * Bars as SVG, drawn by ECharts without a DOM; readable on a light and on a dark page.
 */
import { BarChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'

/** Groups of bars, one below the other; each has one bar of each series that has a value there. */
export type Bars = {
  readonly title: string
  readonly groups: readonly string[]
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
}

const ink = '#1f2328'
const lines = '#8b949e'
/** Each has a contrast of 3:1 or more to white and to GitHub's dark page, #0d1117. */
const colours = ['#0969da', '#bc4c00', '#1a7f37', '#8250df', '#bf3989', '#6e7781']
const dark = `<style>@media (prefers-color-scheme: dark) { [fill="${ink}"] { fill: #e6edf3 } }</style>`
const width = 760
const [barHeight, gap, foot, right] = [18, 14, 30, 60]
/** Of a character, at most: ECharts has no font to measure text with. */
const characterWidth = 7
const font = { fontFamily: 'ui-sans-serif, system-ui, sans-serif', color: ink }

use([BarChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer])

export function plotSvg({ title, groups, series }: Bars): string {
  const head = series.length > 1 ? 92 : 40
  const height = head + foot + groups.length * (series.length * barHeight + gap)
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({
    animation: false,
    textStyle: font,
    color: colours,
    title: { text: title, left: 'center', top: 4, textStyle: { ...font, fontSize: 15 } },
    legend: { top: 30, itemGap: 22, itemWidth: 14, show: series.length > 1, textStyle: font },
    grid: { top: head, bottom: foot, left: Math.max(...groups.map(name => name.length)) * characterWidth + 12, right },
    xAxis: {
      type: 'value',
      axisLabel: font,
      splitLine: { lineStyle: { color: lines, opacity: 0.3 } },
    },
    yAxis: {
      type: 'category',
      data: groups,
      inverse: true,
      axisLabel: font,
      axisLine: { lineStyle: { color: lines } },
    },
    series: series.map(({ name, values }) => ({
      type: 'bar',
      name,
      data: values.map(value => value ?? '-'),
      label: { show: true, position: 'right', formatter: ({ value }: { value: unknown }) => shortOf(value), ...font },
    })),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return `${svg.replace('>', ` role="img" aria-label="${title}">\n${dark}`)}\n`
}

function shortOf(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en-US', { maximumSignificantDigits: 3 }) : ''
}
