import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mostConnections, readOpenFiles, roomFor } from '../../src/server/open-files.ts'

test('readOpenFiles reads the limit of this process, or null when /proc has none', () => {
  const files = readOpenFiles()
  if (process.platform === 'linux')
    assert.ok(files !== null && files.open > 3 && files.limit > files.open, 'limit and open files')
  assert.equal(readOpenFiles('/nowhere'), null)
})

/** [limit, open, stations, connections, because] */
const rooms: readonly (readonly [number, number, number, number, string])[] = [
  [20_000, 30, 19_870, 19_920, 'a hundred are reserved, half of them for connections not yet upgraded'],
  [200, 30, 150, 160, 'a tenth of a small limit is reserved'],
  [20, 30, 0, 1, 'the limit on stations is never negative'],
]

for (const [limit, open, stations, connections, because] of rooms) {
  test(`a limit of ${limit} files with ${open} open allows ${stations} stations: ${because}`, () => {
    assert.equal(roomFor({ limit, open }), stations)
    assert.equal(mostConnections({ limit, open }), connections)
  })
}
