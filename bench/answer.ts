/**
 * What a run has to say to one question of docs/benchmarks.md.
 */
import type { Bars } from './plot.ts'

export type Answer = {
  /** Of its place in the page, and of its plot. */
  readonly name: string
  /** In Markdown. */
  readonly table: string
  readonly plot: Bars
}

/** Prints the progress of a run. */
export type Note = (text: string) => void
