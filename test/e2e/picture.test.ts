/**
 * The README's picture shows what bin/demo prints: `npm run picture` draws it anew.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { demoPicture, linesOfPicture } from '../../bin/demo-picture.ts'
import { run } from '../support/process.ts'

const root = new URL('../../', import.meta.url)

/** Times, ports, process ids and meter readings differ from run to run. */
const withoutNumbers = (text: string): string => text.replace(/\d[\d:.TZ-]*/g, '#')

test('the picture shows the lines of bin/demo, numbers aside', async () => {
  const shown = linesOfPicture(readFileSync(new URL('docs/demo.svg', root), 'utf8'))
  const { stdout } = await run(fileURLToPath(new URL('bin/demo', root)), [])
  const printed = ['$ bin/demo', ...stdout.split('\n').filter(line => line !== '')].map(withoutNumbers)
  assert.equal(shown.length, printed.length, 'run `npm run picture`')
  for (const [index, line] of shown.entries()) {
    const expected = printed[index] ?? ''
    if (line.endsWith('…')) assert.ok(expected.startsWith(withoutNumbers(line.slice(0, -1))), line)
    else assert.equal(withoutNumbers(line), expected)
  }
})

test('a picture holds its lines, cut at 118 columns', () => {
  const lines = ['$ bin/demo', '', '  station -> app     A < B & C > D  [2,"1"]', '1. Heading', 'x'.repeat(200)]
  assert.deepEqual(linesOfPicture(demoPicture(lines)), [...lines.slice(0, 4).filter(Boolean), `${'x'.repeat(117)}…`])
})
