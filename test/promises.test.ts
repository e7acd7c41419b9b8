/**
 * The table of guarantees in `docs/operations.md`: each row names tests that are there.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const fewest = 10

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const [, table = ''] = /\| shown by \|\n\| [- |]+\|\n((?:\|.*\n)+)/.exec(read('docs/operations.md')) ?? []
const rows = table
  .trimEnd()
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))

test(`the table of guarantees has ${fewest} rows at least, each with an outcome for each configuration`, () => {
  assert.ok(rows.length >= fewest, `it has ${rows.length}`)
  for (const cells of rows) {
    assert.equal(cells.length, 7, String(cells))
    assert.ok(
      cells.slice(1, 6).every(cell => cell !== ''),
      String(cells),
    )
  }
})

test('each guarantee is shown by tests, named by their titles or by what their rows say', () => {
  for (const cells of rows) {
    const [event = '', shownBy = ''] = [cells[1], cells[5]]
    const citations = [...shownBy.matchAll(/`([\w/-]+)`: `([^`]+)`/g)]
    assert.ok(citations.length > 0, event)
    assert.equal(citations.map(([text]) => text).join('; '), shownBy, event)
    for (const [, file = '', title = ''] of citations) {
      const source = read(`test/${file}.test.ts`)
      const isThere = ["'", '"', '`'].some(quote => source.includes(quote + title + quote))
      assert.ok(isThere, `${file} has no "${title}"`)
    }
  }
})
