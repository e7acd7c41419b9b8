/**
 * Pages of docs/ with results: a run replaces them, between the comments that mark their places.
 */
import { readFileSync, writeFileSync } from 'node:fs'

/** Replaces the contents of several places, by name. */
export function fillPage(page: URL, contents: Readonly<Record<string, string>>): void {
  const text = readFileSync(page, 'utf8')
  writeFileSync(
    page,
    Object.entries(contents).reduce((text, [name, content]) => filled(text, name, content), text),
  )
}

/** The page with another content in that place. Throws if it has no such place. */
export function filled(text: string, name: string, content: string): string {
  const [from, to] = [`<!-- bench: ${name} -->\n`, `\n<!-- end of ${name} -->`]
  const [start, end] = [text.indexOf(from) + from.length, text.indexOf(to)]
  if (start < from.length || end < start) throw new Error(`the page has no place for ${name}`)
  return `${text.slice(0, start)}\n${content}\n${text.slice(end)}`
}
