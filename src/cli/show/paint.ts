/**
 * Colours of a terminal, by the numbers of ECMA-48.
 *
 * Pure.
 */
import type { Terminal } from '../command.ts'

export function paint(text: string, colour: number, { hasColours }: Pick<Terminal, 'hasColours'>): string {
  return hasColours ? `\u001b[${colour}m${text}\u001b[0m` : text
}
