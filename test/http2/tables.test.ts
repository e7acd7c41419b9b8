import assert from 'node:assert/strict'
import { test } from 'node:test'
import { huffmanTree, staticTable } from '../../src/http2/tables.ts'

test('staticTable has the 61 fields of RFC 7541 Appendix A', () => {
  assert.equal(staticTable.length, 61)
  const rows = [
    [1, ':authority', ''],
    [8, ':status', '200'],
    [16, 'accept-encoding', 'gzip, deflate'],
    [33, 'date', ''],
    [61, 'www-authenticate', ''],
  ] as const
  for (const [index, ...field] of rows) assert.deepEqual(staticTable[index - 1], field)
})

/** The code of a symbol in the tree. */
function codeOf(symbol: number, node = 0, code = ''): string | null {
  for (const bit of [0, 1]) {
    const next = huffmanTree[2 * node + bit] ?? 0
    if (next === -1 - symbol) return `${code}${bit}`
    const found = next > 0 ? codeOf(symbol, next, `${code}${bit}`) : null
    if (found !== null) return found
  }
  return null
}

/** [symbol, its code in hexadecimal, its bits, because]: RFC 7541 Appendix B */
const codes = [
  ['0', '0', 5, 'the first code'],
  ['t', '9', 5, 'the last of 5 bits'],
  ['~', '1ffd', 13, 'the last character'],
  ['\0', '1ff8', 13, 'a control'],
  ['\n', '3ffffffc', 30, 'the longest'],
  ['\xff', '3ffffee', 26, 'the last byte'],
] as const
for (const [symbol, code, bits, because] of codes) {
  test(`huffmanTree has ${JSON.stringify(symbol)} as ${code} in ${bits} bits: ${because}`, () => {
    assert.equal(codeOf(symbol.charCodeAt(0)), parseInt(code, 16).toString(2).padStart(bits, '0'))
  })
}

test('huffmanTree has a code for each byte and the end of strings, and nothing else', () => {
  assert.equal(huffmanTree.filter(branch => branch < 0).length, 257)
  assert.equal(huffmanTree.indexOf(0), huffmanTree.length - 2, 'the two entries of no node are unused')
  assert.equal(codeOf(256), '1'.repeat(30))
})
