/**
 * Draws the output of bin/demo as a terminal, in SVG.
 *
 * Pure.
 */
const columns = 118
const lineHeight = 17
const margin = { x: 18, top: 56, bottom: 22 }
const fontSize = 12
const characterWidth = 7.2
const labelEnd = 21

/** The picture of these lines; one that is too long for it ends with an ellipsis. */
export function demoPicture(lines: readonly string[]): string {
  const width = Math.ceil(columns * characterWidth + 2 * margin.x)
  const height = margin.top + lines.length * lineHeight + margin.bottom
  const rows = lines.map((line, index) => {
    const y = margin.top + index * lineHeight
    return line === '' ? '' : `<text x="${margin.x}" y="${y}">${paint(cut(line))}</text>\n`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<!-- Made by \`npm run picture\` from a run of bin/demo. -->
<style>
text { font: ${fontSize}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee9; white-space: pre; }
.who { fill: #88c0d0; }
.frame { fill: #7b88a1; }
.heading { fill: #ffffff; font-weight: bold; }
</style>
<rect width="100%" height="100%" rx="8" fill="#1f2430"/>
<g><circle cx="20" cy="20" r="6" fill="#ff5f57"/><circle cx="40" cy="20" r="6" fill="#febc2e"/><circle cx="60" cy="20" r="6" fill="#28c840"/></g>
${rows.join('')}</svg>
`
}

/** The text of each line of a picture. */
export function linesOfPicture(picture: string): string[] {
  return [...picture.matchAll(/<text [^>]*>(.*)<\/text>/g)].map(([, row = '']) => unescape(row.replace(/<[^>]+>/g, '')))
}

function cut(line: string): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}

/** Indented lines are events and facts: who, what, and after two spaces the frame. Others are headings and prose. */
function paint(line: string): string {
  if (!line.startsWith('  ')) return /^(\$|\d+\.|One |The )/.test(line) ? span('heading', line) : escape(line)
  const [who, rest] = [line.slice(0, labelEnd), line.slice(labelEnd)]
  const frameAt = rest.indexOf('  ')
  if (frameAt === -1) return span('who', who) + escape(rest)
  return span('who', who) + escape(rest.slice(0, frameAt)) + span('frame', rest.slice(frameAt))
}

function span(style: string, text: string): string {
  return `<tspan class="${style}">${escape(text)}</tspan>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function unescape(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}
