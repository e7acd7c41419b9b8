/**
 * What a run has to say to one question of docs/benchmarks.md, and how it is shown there.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fillPage } from './page.ts'
import { plotSvg, type Bars } from './plot.ts'

export type Answer = {
  /** Of its place in the page, and of its plot. */
  readonly name: string
  /** In Markdown. */
  readonly table: string
  readonly plot: Bars
}

/** Prints the progress of a run. */
export type Note = (text: string) => void

const page = new URL('../docs/benchmarks.md', import.meta.url)
const plots = new URL('../docs/plots/', import.meta.url)

/** @param machine  the line that says where it ran */
export function writeAnswers(machine: string, answers: readonly Answer[]): void {
  mkdirSync(plots, { recursive: true })
  for (const { name, plot } of answers) writeFileSync(new URL(`${name}.svg`, plots), plotSvg(plot))
  fillPage(page, { machine, ...Object.fromEntries(answers.map(answer => [answer.name, contentOf(answer)])) })
}

/** The plot and the table. */
export function contentOf({ name, table, plot }: Answer): string {
  return `![${plot.title}](plots/${name}.svg)\n\n${table}`
}
