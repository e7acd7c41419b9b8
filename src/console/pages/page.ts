/**
 * What a page of the console is, and what it is given.
 */
import type { TemplateResult } from '../vendor/lit-html/lit-html.js'
import type { Api, Grant } from '../net/api.ts'

export interface Page {
  /** For the title of the window. */
  readonly title: string
  view(): TemplateResult
  /** Called after each drawing, for what needs elements: charts, scrolling. */
  drawn?(): void
  close(): void
}

export type Context = {
  readonly api: Api
  readonly grant: Grant
  /** Draws the page soon. */
  redraw(): void
  /** In ms since the epoch. */
  now(): number
  /** Whether the bridge answered the last request; a banner says so when it did not. */
  onLink(isUp: boolean): void
}

/** Runs a request of a page, and tells a lost link from a refusal. */
export async function asking(context: Context, run: () => Promise<void>): Promise<Error | null> {
  try {
    await run()
    context.onLink(true)
    return null
  } catch (error) {
    // `fetch` rejects with a TypeError when there is no answer.
    context.onLink(!(error instanceof TypeError))
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    context.redraw()
  }
}
