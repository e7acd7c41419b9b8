import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostConnections, readOpenFiles, roomFor } from '../../src/server/open-files.ts'

test('of this process, where the system tells; elsewhere there is no limit', () => {
  const files = readOpenFiles()
  if (process.platform === 'linux') assert.ok(files !== null && files.open > 3 && files.limit > files.open, 'both told')
  assert.equal(readOpenFiles('/nowhere'), null)
})

/** [limit, open, stations, connections, because] */
const rooms: readonly (readonly [number, number, number, number, string])[] = [
  [20_000, 30, 19_870, 19_920, 'a hundred are kept, half of them for connections that are no stations yet'],
  [200, 30, 150, 160, 'of a small limit a tenth is kept'],
  [20, 30, 0, 1, 'there is none, and never less than none'],
]

for (const [limit, open, stations, connections, because] of rooms) {
  test(`${limit} files, ${open} open: room for ${stations}, for ${because}`, () => {
    assert.equal(roomFor({ limit, open }), stations)
    assert.equal(mostConnections({ limit, open }), connections)
  })
}
