/**
 * The figures of docs/benchmarks.md: a run replaces them, in the places that comments mark, and draws the plots beside.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Answer } from './answer.ts'
import { plotSvg } from './plot.ts'

const page = new URL('../docs/benchmarks.md', import.meta.url)
const plots = new URL('../docs/plots/', import.meta.url)

/** @param machine  the line that says where it ran */
export function writePage(machine: string, answers: readonly Answer[]): void {
  mkdirSync(plots, { recursive: true })
  for (const { name, plot } of answers) writeFileSync(new URL(`${name}.svg`, plots), plotSvg(plot))
  writeFileSync(page, filled(readFileSync(page, 'utf8'), machine, answers))
}

/** The page with other figures. Throws if it has no place for one of them. */
export function filled(text: string, machine: string, answers: readonly Answer[]): string {
  const parts = answers.map(({ name, table, plot }) => ({
    name,
    text: `![${plot.title}](plots/${name}.svg)\n\n${table}`,
  }))
  return [{ name: 'machine', text: machine }, ...parts].reduce((page, { name, text }) => {
    const [from, to] = [`<!-- bench: ${name} -->\n`, `\n<!-- end of ${name} -->`]
    const [start, end] = [page.indexOf(from) + from.length, page.indexOf(to)]
    if (start < from.length || end < start) throw new Error(`docs/benchmarks.md has no place for ${name}`)
    return `${page.slice(0, start)}\n${text}\n${page.slice(end)}`
  }, text)
}
