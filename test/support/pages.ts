/**
 * Pages of documentation: their fenced blocks.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export type Block = {
  readonly language: string
  readonly text: string
  /** The file that the block is, by its first line: `# app/channels/ocpp_channel.rb`. */
  readonly file: string | undefined
}

/** The blocks of a page of the repository, or of what it has under one heading. */
export function blocksOf(page: string, heading?: string): Block[] {
  const text = readFileSync(fileURLToPath(new URL(`../../${page}`, import.meta.url)), 'utf8')
  const part = heading === undefined ? text : sectionOf(text, heading)
  return [...part.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
    language,
    text: block,
    file: /^# ([\w./-]+\.(?:rb|yml|toml))\n/.exec(block)?.[1],
  }))
}

/** Each line of a page's shell blocks. */
export function commandsOf(page: string): string[] {
  return blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.trim().split('\n'))
}

/** From the heading's line to the next heading of the same level. */
function sectionOf(text: string, heading: string): string {
  const [, level = '', rest = ''] = new RegExp(`^(#+) ${heading}\\n([\\s\\S]*)`, 'm').exec(text) ?? []
  if (level === '') throw new Error(`no heading "${heading}"`)
  return rest.split(new RegExp(`^${level} `, 'm'))[0] ?? ''
}
