import assert from 'node:assert/strict'
import { mock, test, type TestContext } from 'node:test'
import { VisitLog } from '../../src/ops/visit-log.ts'

type Line = Readonly<Record<string, unknown>>

function opened(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  t.after(() => mock.timers.reset())
  const lines: Line[] = []
  const log = { info: (fields: object, message: string) => void lines.push({ ...fields, message }) }
  const visits = new VisitLog(log, () => Date.now())
  const visit = (station: string, remoteAddress = '192.0.2.1', times = 1) => {
    const before = lines.length
    for (let n = 0; n < times; n++) visits.info({ station, remoteAddress }, 'station connected')
    return lines.length - before
  }
  return { lines, visit }
}

test('10,000 stations behind one address connect, leave and come again: each line is logged', t => {
  const { lines, visit } = opened(t)
  for (let n = 0; n < 10_000; n++) visit(`CP${n}`, '192.0.2.1', 4)
  assert.equal(lines.length, 40_000)
})

test('a station that reconnects every twelve seconds has each of its lines logged', t => {
  const { visit } = opened(t)
  for (let n = 0; n < 100; n++) {
    assert.equal(visit('CP1', '192.0.2.1', 2), 2, `after ${n} reconnects`)
    mock.timers.tick(12_000)
  }
})

test('a station in a loop has its first ten lines logged, and then the number of those left out', t => {
  const { lines, visit } = opened(t)
  assert.equal(visit('loop', '192.0.2.1', 74_000), 10)
  assert.equal(visit('other'), 1, 'its neighbours have their own limit')
  mock.timers.tick(60_000)
  const message = 'left out lines of a station that keeps reconnecting'
  assert.deepEqual(lines.at(-1), { station: 'loop', num: 73_990, message })
  assert.equal(visit('loop', '192.0.2.1', 74_000), 10, 'ten more after a minute')
  mock.timers.tick(60_000)
  assert.deepEqual(lines.at(-1), { station: 'loop', num: 73_990, message }, 'counted from the last count')
  mock.timers.tick(600_000)
  assert.deepEqual(lines.at(-1), { station: 'loop', num: 73_990, message }, 'and no more lines once it is quiet')
})

const networks = [
  ['192.0.2.7', '192.0.2.7', '192.0.2.8', 'an IPv4 address'],
  ['::ffff:192.0.2.7', '::ffff:192.0.2.7', '::ffff:192.0.2.8', 'an IPv4 address in IPv6'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::7', '2001:db8:1:3::7', 'a network of IPv6'],
] as const
for (const [address, same, other, because] of networks) {
  test(`stations of ${address} have a limit of their own, whatever their ids: ${because}`, t => {
    const { lines, visit } = opened(t)
    for (let n = 0; n < 50_000; n++) visit(`CP${n}`, n % 2 === 0 ? address : same)
    assert.equal(lines.length, 40_000)
    assert.equal(visit('neighbour', other), 1)
    mock.timers.tick(60_000)
    const [{ num, message } = {}] = lines.slice(-1)
    assert.deepEqual([num, message], [10_000, 'left out lines of stations of one address'])
  })
}
