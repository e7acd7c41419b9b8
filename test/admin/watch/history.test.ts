import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameView } from '../../../src/admin/answers.ts'
import { History } from '../../../src/admin/watch/history.ts'

const frameOf = (station: string, id: string): FrameView => ({
  at: '',
  station,
  sid: '',
  direction: 'received',
  type: 'call',
  id,
  action: null,
  milliseconds: null,
  isError: false,
  frame: 'x'.repeat(300),
})

test('a station keeps its latest frames', () => {
  const history = new History(1e6)
  for (const id of ['1', '2', '3']) history.keep(frameOf('CP1', id), 2)
  assert.deepEqual(
    history.of('CP1').map(({ id }) => id),
    ['2', '3'],
  )
  assert.equal(history.bytes, 2_000)
  assert.deepEqual(history.of('CP2'), [])
})

test('the station that was silent for longest loses its frames first when there are too many bytes', () => {
  const history = new History(3_000)
  for (const [station, id] of [
    ['A', '1'],
    ['B', '2'],
    ['A', '3'],
    ['C', '4'],
    ['C', '5'],
  ] as const)
    history.keep(frameOf(station, id), 10)
  assert.deepEqual(
    [history.of('A'), history.of('B'), history.of('C')].map(frames => frames.map(({ id }) => id)),
    [['3'], [], ['4', '5']],
  )
  assert.equal(history.bytes, 3_000)
})

test('forgotten frames cost nothing', () => {
  const history = new History(1e6)
  history.keep(frameOf('A', '1'), 1)
  history.keep(frameOf('B', '1'), 1)
  history.forget(station => station === 'A')
  assert.deepEqual([history.of('A').length, history.of('B').length, history.bytes], [0, 1, 1_000])
})
