import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { versions } from '../../../src/ocpp/version.ts'
import { Reports, type Taken, type Whole } from '../../../src/session/reports/reports.ts'

const timeoutMs = 60_000
const timers = { after: (ms: number, run: () => void) => setTimeout(run, ms) }

function newReports(t: TestContext) {
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const overdue: Whole[] = []
  const reports = new Reports(timers, versions['ocpp2.0.1'].reports, timeoutMs, whole => void overdue.push(whole))
  const pass = (ms: number): void => t.mock.timers.tick(ms)
  return { reports, overdue, pass }
}

let ids = 0

function callOf(action: string, payload: object | string): Call {
  const text = typeof payload === 'string' ? (payload as JsonText) : jsonText(payload)
  return { kind: 'call', id: messageId(String(++ids)), action, payload: text }
}

/** `2+` is part 2, and `2.` the last part; `items` are those of its list, by default the number itself. */
function part(number: string, requestId = 7, items: readonly unknown[] = [number.slice(0, -1)]): Call {
  const [seqNo, tbc] = [Number(number.slice(0, -1)), number.endsWith('+')]
  return callOf('NotifyReport', { requestId, seqNo, tbc, reportData: items })
}

/** A part without a number: `a+`, or `a.` for the last part. */
function unnumbered(name: string, requestId = 7): Call {
  return callOf('NotifyDisplayMessages', {
    requestId,
    tbc: name.endsWith('+'),
    messageInfo: [name.slice(0, -1)],
  })
}

/** A whole report as text: its items, the number of its parts, and the missing ones. */
function wholeText({ call, parts, missing, complete }: Whole): string {
  const { reportData, messageInfo } = JSON.parse(call.payload) as Record<string, readonly string[] | undefined>
  const gap = complete ? '' : ` lacks [${missing.join()}]`
  return `${(reportData ?? messageInfo ?? []).join(' ')} of ${parts}${gap}`
}

/** The result of `take` as text. */
function resultText(taken: Taken): string {
  if (taken.kind === 'whole') return wholeText(taken.whole)
  return taken.abandoned === null ? taken.kind : `${taken.kind}, before it ${wholeText(taken.abandoned)}`
}

function wholeIn(taken: Taken): Whole {
  if (taken.kind !== 'whole') assert.fail(`a whole, not ${resultText(taken)}`)
  return taken.whole
}

/** Calls in order, the result of each, and why; the app takes every whole report. */
const sequences = [
  [[part('0.')], ['raw'], 'a report in one part'],
  [[callOf('NotifyReport', '{"requestId":7,"seqNo":0}')], ['raw'], 'a report in one part, without tbc'],
  [[unnumbered('a.')], ['raw'], 'a report in one part, without seqNo'],
  [[part('0+'), part('1+'), part('2.')], ['part', 'part', '0 1 2 of 3'], 'parts in order'],
  [[part('2.'), part('0+'), part('1+')], ['part', 'part', '0 1 2 of 3'], 'the last part first'],
  [[part('0+'), part('0+'), part('1.')], ['part', 'part', '0 1 of 2'], 'a repeated part counts once'],
  [
    [part('0+'), part('0+', 7, ['new']), part('1.')],
    ['part', 'part, before it 0 of 1 lacks []', 'new 1 of 2'],
    'another part under the same number begins a new report',
  ],
  [
    [part('0+'), part('1+'), part('0+'), part('2.')],
    ['part', 'part', 'part', '0 1 2 of 3'],
    'an older part is repeated',
  ],
  [
    [part('0+'), part('2.'), part('2.'), part('1+')],
    ['part', 'part', 'part', '0 1 2 of 3'],
    'the last part is repeated',
  ],
  [[unnumbered('a+'), unnumbered('b+'), unnumbered('c.')], ['part', 'part', 'a b c of 3'], 'parts without seqNo'],
  [
    [unnumbered('a+'), unnumbered('a+'), unnumbered('b.')],
    ['part', 'part', 'a b of 2'],
    'a repeated part without seqNo',
  ],
  [
    [part('0+', 7), part('0+', 8), part('1.', 8, ['eight']), part('1.', 7)],
    ['part', 'part', '0 eight of 2', '0 1 of 2'],
    'two reports at the same time',
  ],
  [
    [part('0+'), unnumbered('a+'), unnumbered('b.'), part('1.')],
    ['part', 'part', 'a b of 2', '0 1 of 2'],
    'two actions with the same requestId are two reports',
  ],
  [
    [part('0+'), part('1.'), part('0+', 7, ['x']), part('1.', 7, ['y'])],
    ['part', '0 1 of 2', 'part', 'x y of 2'],
    'a new report under the same requestId',
  ],
  [[part('0+'), part('1.'), part('0+'), part('1.')], ['part', '0 1 of 2', 'part', '0 1 of 2'], 'the same report twice'],
  [
    [part('0+'), part('1.'), part('0.')],
    ['part', '0 1 of 2', 'raw'],
    'a new report in one part under the same requestId',
  ],
  [
    [part('0+'), part('1.'), part('1.')],
    ['part', '0 1 of 2', 'part'],
    'the last part under another id may belong to another report',
  ],
  [
    [part('0+'), part('1+'), part('0+', 7, ['x']), part('1.', 7, ['y'])],
    ['part', 'part', 'part, before it 0 1 of 2 lacks []', 'x y of 2'],
    'a new report begins before the end of the first one',
  ],
  [
    [part('0+'), part('2.'), part('0.', 7, ['x'])],
    ['part', 'part', 'raw, before it 0 2 of 2 lacks [1]'],
    'a report in one part before the end of the first one',
  ],
  [
    [part('0+'), part('0.', 7, ['x'])],
    ['part', 'raw, before it 0 of 1 lacks []'],
    'a report in one part is not a repeated part',
  ],
  [
    [part('1+'), part('0.')],
    ['part', 'raw, before it 1 of 1 lacks [0]'],
    'a report in one part is not the first part of another',
  ],
  [[callOf('NotifyEvent', '{"seqNo":0,"tbc":true,"eventData":[]}')], ['raw'], 'an action that is not a report'],
  [[callOf('NotifyReport', '{"seqNo":0,"tbc":true}')], ['raw'], 'a part without requestId'],
  [[callOf('toString', '{"requestId":7,"tbc":true}')], ['raw'], 'an action that is a property of every object'],
  [
    [part('999+'), part('1000+')],
    ['part', `full, before it 999 of 1 lacks [${[...Array(999).keys()].join()}]`],
    'a seqNo beyond the most parts',
  ],
  [[part('1000+'), part('9007199254740991.')], ['full', 'full'], 'numbers beyond the most parts'],
] as const satisfies readonly (readonly [readonly Call[], readonly string[], string])[]

for (const [calls, outcomes, because] of sequences) {
  test(`${calls.length} parts give ${outcomes.join('; ').slice(0, 60)}: ${because}`, t => {
    const { reports, overdue } = newReports(t)
    const got = calls.map(call => {
      const taken = reports.take(call)
      if (taken.kind === 'whole') reports.settle(taken.whole, true)
      return resultText(taken)
    })
    assert.deepEqual(got, outcomes)
    assert.deepEqual(overdue, [])
  })
}

test('a whole report is the CALL of the part that completed it', t => {
  const { reports } = newReports(t)
  reports.take(part('1.'))
  const last = part('0+')
  const { call } = wholeIn(reports.take(last))
  assert.deepEqual(call, {
    ...last,
    payload: '{"requestId":7,"seqNo":0,"tbc":false,"reportData":["0","1"]}',
  })
})

test('a report is overdue with its gaps when no part has come for the timeout', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs - 1)
  const latest = part('3.')
  reports.take(latest)
  pass(timeoutMs - 1)
  assert.deepEqual(overdue.map(wholeText), [])
  pass(1)
  assert.deepEqual(overdue.map(wholeText), ['0 3 of 2 lacks [1,2]'])
  assert.equal(overdue[0]?.call.id, latest.id)
  pass(2 * timeoutMs)
  assert.equal(overdue.length, 1, 'once')
})

test('a report without its last part is overdue and lacks no number', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  reports.take(unnumbered('a+'))
  pass(timeoutMs)
  assert.deepEqual(overdue.map(wholeText), ['0 of 1 lacks []', 'a of 1 lacks []'])
})

test('each report and each station has its own timeout', t => {
  const { reports, overdue, pass } = newReports(t)
  const others: Whole[] = []
  const other = new Reports(timers, versions['ocpp2.1'].reports, timeoutMs, whole => void others.push(whole))
  reports.take(part('0+', 7))
  pass(20_000)
  reports.take(part('0+', 8, ['eight']))
  assert.equal(resultText(other.take(part('1.', 7))), 'part', 'the other station has sent no part 0')
  pass(timeoutMs - 20_000)
  assert.deepEqual(overdue.map(wholeText), ['0 of 1 lacks []'])
  pass(20_000)
  assert.deepEqual(overdue.map(wholeText), ['0 of 1 lacks []', 'eight of 1 lacks []'])
  assert.deepEqual(others.map(wholeText), ['1 of 1 lacks [0]'])
})

test('a part begins a new report when its report was overdue', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs)
  assert.equal(resultText(reports.take(part('1.'))), 'part')
  pass(timeoutMs)
  assert.deepEqual(overdue.map(wholeText), ['0 of 1 lacks []', '1 of 1 lacks [0]'])
})

test('the timeout stands still while the app has the whole report, and a settled report is gone', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  const whole = wholeIn(reports.take(part('1.')))
  pass(2 * timeoutMs)
  reports.settle(whole, true)
  pass(2 * timeoutMs)
  assert.deepEqual(overdue, [])
  assert.deepEqual(reports.takeAll(), [])
})

test('the last part completes the report again when the app did not take it', t => {
  const { reports, overdue, pass } = newReports(t)
  for (const [first, last] of [
    [part('0+'), part('1.')],
    [unnumbered('0+'), unnumbered('1.')],
  ] as const) {
    reports.take(first)
    reports.settle(wholeIn(reports.take(last)), false)
    pass(timeoutMs - 1)
    const again = wholeIn(reports.take({ ...last, id: messageId('again') }))
    assert.equal(wholeText(again), '0 1 of 2')
    assert.equal(again.call.id, '"again"')
    reports.settle(again, true)
  }
  pass(timeoutMs)
  assert.deepEqual(overdue, [])
})

test('a report that the app did not take is overdue once when its last part is not repeated', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  reports.settle(wholeIn(reports.take(part('1.'))), false)
  pass(timeoutMs)
  assert.deepEqual(overdue.map(wholeText), ['0 1 of 2'])
})

test('a report that the app did not take is not mixed with the next one of the same requestId', t => {
  const { reports } = newReports(t)
  reports.take(unnumbered('a+'))
  reports.settle(wholeIn(reports.take(unnumbered('b.'))), false)
  assert.equal(resultText(reports.take(unnumbered('c+'))), 'part, before it a b of 2')
  assert.equal(resultText(reports.take(unnumbered('d.'))), 'c d of 2')
})

test('a repeated report waits for its last part when the app did not take it', t => {
  const { reports } = newReports(t)
  reports.take(unnumbered('a+'))
  reports.settle(wholeIn(reports.take(unnumbered('b.'))), false)
  assert.equal(resultText(reports.take(unnumbered('a+'))), 'part')
  assert.equal(resultText(reports.take(unnumbered('b.'))), 'a b of 2')
})

test('the last part begins no new report when it is repeated under its id and the app has taken the report', t => {
  const { reports } = newReports(t)
  for (const [first, last] of [
    [part('0+'), part('1.')],
    [unnumbered('a+'), unnumbered('b.')],
  ] as const) {
    reports.take(first)
    reports.settle(wholeIn(reports.take(last)), true)
    assert.equal(resultText(reports.take(last)), 'settled')
    assert.deepEqual(reports.takeAll(), [])
  }
})

test('a new report has a timeout of its own when an older one was abandoned', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  reports.take(part('1+'))
  pass(timeoutMs - 1)
  reports.take(part('0+', 7, ['x']))
  pass(timeoutMs - 1)
  assert.deepEqual(overdue, [])
  pass(1)
  assert.deepEqual(overdue.map(wholeText), ['x of 1 lacks []'])
})

test('settling an abandoned report leaves the next report untouched', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs)
  reports.take(part('0+'))
  for (const whole of overdue) reports.settle(whole, true)
  assert.equal(resultText(reports.take(part('1.'))), '0 1 of 2')
})

test('takeAll returns every incomplete report and stops all timeouts', t => {
  const { reports, overdue, pass } = newReports(t)
  reports.take(part('1+', 7))
  reports.take(part('0+', 8))
  reports.settle(wholeIn(reports.take(part('1.', 8))), false)
  assert.deepEqual(reports.takeAll().map(wholeText), ['1 of 1 lacks [0]', '0 1 of 2'])
  assert.deepEqual(reports.takeAll(), [])
  pass(2 * timeoutMs)
  assert.deepEqual(overdue, [])
})

test('the seventeenth report is not collected until one of sixteen has ended', t => {
  const { reports } = newReports(t)
  for (let requestId = 1; requestId <= 16; requestId++)
    assert.equal(resultText(reports.take(part('0+', requestId))), 'part')
  assert.equal(resultText(reports.take(part('0+', 17))), 'full')
  assert.equal(resultText(reports.take(part('0.', 17))), 'raw', 'a report in one part needs no room')
  reports.settle(wholeIn(reports.take(part('1.', 16))), true)
  assert.equal(resultText(reports.take(part('0+', 17))), 'part')
})

test('a report is abandoned when it has more than a thousand parts', t => {
  const { reports } = newReports(t)
  for (let at = 0; at < 1_000; at++) reports.take(unnumbered(`${at}+`))
  const taken = reports.take(unnumbered('more.'))
  assert.equal(taken.kind, 'full')
  assert.match(resultText(taken), /^full, before it 0 1 .* 999 of 1000 lacks \[\]$/)
})

const mebibyte = 1024 * 1024

test('a report is abandoned when its part exceeds the byte limit of all reports, and the others stay', t => {
  const { reports } = newReports(t)
  const big = (number: string, requestId: number): Call => part(number, requestId, ['x'.repeat(mebibyte)])
  reports.take(part('0+', 7))
  reports.take(big('1+', 7))
  reports.take(big('0+', 8))
  assert.equal(resultText(reports.take(big('0+', 8))), 'part', 'a part that replaces another takes no more room')
  assert.equal(reports.take(big('0+', 9)).kind, 'full', 'the limit includes what surrounds the list')
  const taken = reports.take(big('1+', 8))
  assert.equal(taken.kind, 'full')
  assert.match(resultText(taken), /^full, before it x+ of 1 lacks \[\]$/)
  assert.equal(resultText(reports.take(big('2+', 7))), 'part', 'there is room again')
  assert.equal(reports.takeAll().length, 1)
  for (const number of ['0+', '1+'])
    assert.equal(resultText(reports.take(big(number, 1))), 'part', 'all room is free again')
})

test('the byte limit counts UTF-8: a euro sign takes three bytes', t => {
  const { reports } = newReports(t)
  assert.equal(reports.take(part('0+', 7, ['€'.repeat(mebibyte)])).kind, 'full')
})

test('each part reaches the app and nothing is left, whatever the order of parts', t => {
  const step = fc.record({
    requestId: fc.integer({ min: 1, max: 3 }),
    seqNo: fc.integer({ min: 0, max: 4 }),
    isLast: fc.boolean(),
    isNumbered: fc.boolean(),
    isTaken: fc.boolean(),
    passes: fc.constantFrom(0, 0, 0, timeoutMs / 2, timeoutMs),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), steps => {
      const { reports, overdue, pass } = newReports(t)
      const items = new Set<string>()
      const toApp: string[] = []
      const perform = (call: Call): void => {
        const { reportData, messageInfo } = JSON.parse(call.payload) as Record<string, string[]>
        toApp.push(...(reportData ?? messageInfo ?? []))
      }
      for (const [at, { requestId, seqNo, isLast, isNumbered, isTaken, passes }] of steps.entries()) {
        const end = isLast ? '.' : '+'
        // A number that comes again replaces the one before, so its item is the same.
        const item = isNumbered ? `${requestId}/${seqNo}` : `item ${at}`
        items.add(item)
        const call = isNumbered ? part(`${seqNo}${end}`, requestId, [item]) : unnumbered(`${item}${end}`, requestId)
        const taken = reports.take(call)
        if (taken.kind === 'whole') {
          if (isTaken) perform(taken.whole.call)
          reports.settle(taken.whole, isTaken)
        } else {
          if (taken.abandoned !== null) perform(taken.abandoned.call)
          if (taken.kind !== 'part') perform(call)
        }
        pass(passes)
      }
      for (const { call } of [...overdue.splice(0), ...reports.takeAll()]) perform(call)
      assert.deepEqual(new Set(toApp), items)
    }),
    { numRuns: 1_000 },
  )
})
