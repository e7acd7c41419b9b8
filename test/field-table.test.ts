/**
 * The tables of `docs/protocol.md`, "The field": each row has a source, existing options and an existing test.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

type Row = {
  readonly station: string
  readonly seenIn: string
  readonly bridge: string
  readonly option: string
  readonly shownBy: string
}

const fewest = 35

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

const [, section = ''] = /^## The field\n(.*?)(?=^## |(?![\s\S]))/ms.exec(read('docs/protocol.md')) ?? []
const rows = section
  .split('\n')
  .filter(line => line.startsWith('| '))
  .map(rowOf)
  .filter(({ station }) => station !== 'the station' && !/^-+$/.test(station))

function rowOf(line: string): Row {
  const cells = line.split(/(?<!\\)\|/).map(cell => cell.trim())
  assert.equal(cells.length, 7, `five cells: ${line}`)
  const [, station = '', seenIn = '', bridge = '', option = '', shownBy = ''] = cells
  return { station, seenIn, bridge, option, shownBy }
}

test(`the field has ${fewest} rows at least, no two the same`, () => {
  assert.ok(rows.length >= fewest, `it has ${rows.length}`)
  assert.equal(new Set(rows.map(({ station }) => station)).size, rows.length)
})

test('each row of the field says where it was seen: an issue, or the clause that is broken', () => {
  for (const { station, seenIn } of rows) assert.match(seenIn, /\w#\d+|§\d/, station)
})

test('the repositories of the field are all named, and all used', () => {
  const [, legend = ''] = /^Short for repositories: (.*?)\n\n/ms.exec(section) ?? []
  const named = [...legend.matchAll(/`([\w.-]+)`/g)].map(([, name]) => name).sort()
  const used = rows.flatMap(({ seenIn }) => [...seenIn.matchAll(/(?<![\w/.-])([\w.-]+)#\d+/g)].map(([, name]) => name))
  assert.deepEqual([...new Set(used)].sort(), named)
})

test('each option of the field is one', () => {
  const options = read('docs/configuration.md')
  for (const { option, station } of rows) {
    for (const [, name = ''] of option.matchAll(/`(\w+)/g))
      assert.match(options, new RegExp(`^### \`(--|\\[+)${name}\\b`, 'm'), `${station}: ${name}`)
  }
})

test('each row of the field is shown by a test, named by its title or by what its row says', () => {
  for (const { station, bridge, shownBy } of rows) {
    assert.notEqual(bridge, '', station)
    const [, file = '', title = ''] = /^`([\w/-]+)`: (.+)$/.exec(shownBy) ?? []
    assert.notEqual(title, '', `${station}: ${shownBy}`)
    const source = read(`test/${file}.test.ts`)
    assert.ok(
      ["'", '"', '`'].some(quote => source.includes(quote + title + quote)),
      `${file} has no "${title}"`,
    )
  }
})
