/**
 * The table of log lines in docs/operations.md: each line at warn or above has a row, and the reverse.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { logTexts } from './support/log-texts.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const [, section = ''] = /^## Reading the log\n(.*?)(?=^## )/ms.exec(read('docs/operations.md')) ?? []
const rows = section
  .split('\n')
  .filter(line => /^\| (?!line |-)/.test(line))
  .map(line => line.split(/(?<!\\)\|/)[1]?.trim() ?? '')
/** The lines that a row is about: the texts before its first comma; `the same` is about the row above. */
const shown = rows.map(row => ({ row, texts: textsOf(row) }))

function textsOf(row: string): string[] {
  if (row.startsWith('the same')) return []
  const [lines = ''] = row.split(/`, (?!`)|`;/)
  return [...`${lines}\``.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
}

/** Whether a text of the table, in which `…` stands for any text, is this text of the source. */
function standsFor(short: string, text: string): boolean {
  const pattern = short
    .split('…')
    .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${pattern}$`, 's').test(text.replaceAll('`', ''))
}

const warnings = logTexts(['warn', 'error'])
const others = logTexts(['info', 'debug'])

test('the source has more than forty texts of warnings', () => {
  assert.ok(new Set(warnings.map(({ text }) => text)).size > 40)
})

test('each text of the log at warn or above has a row in docs/operations.md', () => {
  const missing = warnings.filter(({ text }) => !shown.some(({ texts }) => texts.some(short => standsFor(short, text))))
  assert.deepEqual(new Set(missing.map(({ text }) => text)), new Set())
})

test('each row of docs/operations.md is about a text of the log', () => {
  const known = [...warnings, ...others]
  const unknown = shown.flatMap(({ texts }) => texts.filter(short => !known.some(({ text }) => standsFor(short, text))))
  assert.deepEqual(unknown, [])
})
