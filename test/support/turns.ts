/**
 * A turnstile whose turns a test gives.
 */
import type { Turns } from '../../src/server/limits/turnstile.ts'

/** @returns the turnstile, and the work that waits in it, in order */
export function holdTurns(): { readonly turnstile: Turns; readonly waiting: (() => void)[] } {
  const waiting: (() => void)[] = []
  const enter = (work: () => void): void => void waiting.push(work)
  return { turnstile: { enter, enterAlone: enter }, waiting }
}
