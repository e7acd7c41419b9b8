import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { messageId, type Call } from '../../../src/ocpp/frame.ts'
import { jsonText, type JsonText } from '../../../src/ocpp/json.ts'
import { versions } from '../../../src/ocpp/version.ts'
import { Reports, type Taken, type Whole } from '../../../src/session/reports/reports.ts'

const timeoutMs = 60_000

function newReports(t: TestContext) {
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const over: Whole[] = []
  const reports = new Reports(versions['ocpp2.0.1'].reports, timeoutMs, whole => void over.push(whole))
  const pass = (ms: number): void => t.mock.timers.tick(ms)
  return { reports, over, pass }
}

let ids = 0

function callOf(action: string, payload: object | string): Call {
  const text = typeof payload === 'string' ? (payload as JsonText) : jsonText(payload)
  return { kind: 'call', id: messageId(String(++ids)), action, payload: text }
}

/** `2+` is the part of that number, `2.` the last one; `items` of its list, by default the number itself. */
function part(number: string, requestId = 7, items: readonly unknown[] = [number.slice(0, -1)]): Call {
  const [seqNo, tbc] = [Number(number.slice(0, -1)), number.endsWith('+')]
  return callOf('NotifyReport', { requestId, seqNo, tbc, reportData: items })
}

/** A part without a number: `a+`, and `a.` for the last one. */
function unnumbered(name: string, requestId = 7): Call {
  return callOf('NotifyDisplayMessages', {
    requestId,
    tbc: name.endsWith('+'),
    messageInfo: [name.slice(0, -1)],
  })
}

/** A whole in words: its items, how many parts they were, and what is missing. */
function told({ call, parts, missing, complete }: Whole): string {
  const { reportData, messageInfo } = JSON.parse(call.payload) as Record<string, readonly string[] | undefined>
  const gap = complete ? '' : ` lacks [${missing.join()}]`
  return `${(reportData ?? messageInfo ?? []).join(' ')} of ${parts}${gap}`
}

/** What became of a part, in words. */
function said(taken: Taken): string {
  if (taken.kind === 'whole') return told(taken.whole)
  return taken.abandoned === null ? taken.kind : `${taken.kind}, before it ${told(taken.abandoned)}`
}

function wholeIn(taken: Taken): Whole {
  if (taken.kind !== 'whole') assert.fail(`a whole, not ${said(taken)}`)
  return taken.whole
}

/** Calls that are taken one after the other, what each comes to, and why; every whole is taken by the app. */
const sequences = [
  [[part('0.')], ['raw'], 'whole at once'],
  [[callOf('NotifyReport', '{"requestId":7,"seqNo":0}')], ['raw'], 'whole at once, without a tbc'],
  [[unnumbered('a.')], ['raw'], 'whole at once, without numbers'],
  [[part('0+'), part('1+'), part('2.')], ['part', 'part', '0 1 2 of 3'], 'one after the other'],
  [[part('2.'), part('0+'), part('1+')], ['part', 'part', '0 1 2 of 3'], 'the last one first'],
  [[part('0+'), part('0+'), part('1.')], ['part', 'part', '0 1 of 2'], 'a part that is repeated is not doubled'],
  [
    [part('0+'), part('0+', 7, ['new']), part('1.')],
    ['part', 'part, before it 0 of 1 lacks []', 'new 1 of 2'],
    'another part under a number that is taken: it begins anew',
  ],
  [[part('0+'), part('1+'), part('0+'), part('2.')], ['part', 'part', 'part', '0 1 2 of 3'], 'an older one repeated'],
  [[part('0+'), part('2.'), part('2.'), part('1+')], ['part', 'part', 'part', '0 1 2 of 3'], 'the last one repeated'],
  [[unnumbered('a+'), unnumbered('b+'), unnumbered('c.')], ['part', 'part', 'a b c of 3'], 'without numbers'],
  [[unnumbered('a+'), unnumbered('a+'), unnumbered('b.')], ['part', 'part', 'a b of 2'], 'repeated, without numbers'],
  [
    [part('0+', 7), part('0+', 8), part('1.', 8, ['eight']), part('1.', 7)],
    ['part', 'part', '0 eight of 2', '0 1 of 2'],
    'two reports at a time',
  ],
  [
    [part('0+'), unnumbered('a+'), unnumbered('b.'), part('1.')],
    ['part', 'part', 'a b of 2', '0 1 of 2'],
    'two actions with the same requestId',
  ],
  [
    [part('0+'), part('1.'), part('0+', 7, ['x']), part('1.', 7, ['y'])],
    ['part', '0 1 of 2', 'part', 'x y of 2'],
    'the same requestId again',
  ],
  [
    [part('0+'), part('1.'), part('0+'), part('1.')],
    ['part', '0 1 of 2', 'part', '0 1 of 2'],
    'the same report again, word for word',
  ],
  [[part('0+'), part('1.'), part('0.')], ['part', '0 1 of 2', 'raw'], 'the same requestId again, whole at once'],
  [
    [part('0+'), part('1.'), part('1.')],
    ['part', '0 1 of 2', 'part'],
    'the last one again under another id: it may be of another report',
  ],
  [
    [part('0+'), part('1+'), part('0+', 7, ['x']), part('1.', 7, ['y'])],
    ['part', 'part', 'part, before it 0 1 of 2 lacks []', 'x y of 2'],
    'it begins anew before its end',
  ],
  [
    [part('0+'), part('2.'), part('0.', 7, ['x'])],
    ['part', 'part', 'raw, before it 0 2 of 2 lacks [1]'],
    'another one, whole at once, before its end',
  ],
  [[part('0+'), part('0.', 7, ['x'])], ['part', 'raw, before it 0 of 1 lacks []'], 'whole at once is no repeated part'],
  [[part('1+'), part('0.')], ['part', 'raw, before it 1 of 1 lacks [0]'], 'whole at once is not the first of more'],
  [[callOf('NotifyEvent', '{"seqNo":0,"tbc":true,"eventData":[]}')], ['raw'], 'no report'],
  [[callOf('NotifyReport', '{"seqNo":0,"tbc":true}')], ['raw'], 'no requestId'],
  [[callOf('toString', '{"requestId":7,"tbc":true}')], ['raw'], 'an action that is a property of every object'],
  [[part('999+'), part('1000+')], ['part', `full, before it 999 of 1 lacks [${[...Array(999).keys()].join()}]`], 'far'],
  [[part('1000+'), part('9007199254740991.')], ['full', 'full'], 'numbers that no report has room for'],
] as const satisfies readonly (readonly [readonly Call[], readonly string[], string])[]

for (const [calls, outcomes, because] of sequences) {
  test(`parts are ${calls.length}: ${because}`, t => {
    const { reports, over } = newReports(t)
    const got = calls.map(call => {
      const taken = reports.take(call)
      if (taken.kind === 'whole') reports.settle(taken.whole, true)
      return said(taken)
    })
    assert.deepEqual(got, outcomes)
    assert.deepEqual(over, [])
  })
}

test('a whole is the CALL of the part that made it whole', t => {
  const { reports } = newReports(t)
  reports.take(part('1.'))
  const last = part('0+')
  const { call } = wholeIn(reports.take(last))
  assert.deepEqual(call, {
    ...last,
    payload: '{"requestId":7,"seqNo":0,"tbc":false,"reportData":["0","1"]}',
  })
})

test('time is over when no part has come for so long: what is there, and what is missing', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs - 1)
  const latest = part('3.')
  reports.take(latest)
  pass(timeoutMs - 1)
  assert.deepEqual(over.map(told), [])
  pass(1)
  assert.deepEqual(over.map(told), ['0 3 of 2 lacks [1,2]'])
  assert.equal(over[0]?.call.id, latest.id)
  pass(2 * timeoutMs)
  assert.equal(over.length, 1, 'once')
})

test('a report without an end is over in its time, too, and lacks no number', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  reports.take(unnumbered('a+'))
  pass(timeoutMs)
  assert.deepEqual(over.map(told), ['0 of 1 lacks []', 'a of 1 lacks []'])
})

test('each report has its own time, and so has each station', t => {
  const { reports, over, pass } = newReports(t)
  const others: Whole[] = []
  const other = new Reports(versions['ocpp2.1'].reports, timeoutMs, whole => void others.push(whole))
  reports.take(part('0+', 7))
  pass(20_000)
  reports.take(part('0+', 8, ['eight']))
  assert.equal(said(other.take(part('1.', 7))), 'part', 'the other station has sent no 0')
  pass(timeoutMs - 20_000)
  assert.deepEqual(over.map(told), ['0 of 1 lacks []'])
  pass(20_000)
  assert.deepEqual(over.map(told), ['0 of 1 lacks []', 'eight of 1 lacks []'])
  assert.deepEqual(others.map(told), ['1 of 1 lacks [0]'])
})

test('a part that comes when its time is over begins anew', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs)
  assert.equal(said(reports.take(part('1.'))), 'part')
  pass(timeoutMs)
  assert.deepEqual(over.map(told), ['0 of 1 lacks []', '1 of 1 lacks [0]'])
})

test('time stands while the app has the whole, and what the app has taken is over', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  const whole = wholeIn(reports.take(part('1.')))
  pass(2 * timeoutMs)
  reports.settle(whole, true)
  pass(2 * timeoutMs)
  assert.deepEqual(over, [])
  assert.deepEqual(reports.takeAll(), [])
})

test('a whole that the app did not take is whole again with its last part', t => {
  const { reports, over, pass } = newReports(t)
  for (const [first, last] of [
    [part('0+'), part('1.')],
    [unnumbered('0+'), unnumbered('1.')],
  ] as const) {
    reports.take(first)
    reports.settle(wholeIn(reports.take(last)), false)
    pass(timeoutMs - 1)
    const again = wholeIn(reports.take({ ...last, id: messageId('again') }))
    assert.equal(told(again), '0 1 of 2')
    assert.equal(again.call.id, '"again"')
    reports.settle(again, true)
  }
  pass(timeoutMs)
  assert.deepEqual(over, [])
})

test('a whole that the app did not take, and whose last part does not come again, goes once more in its time', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  reports.settle(wholeIn(reports.take(part('1.'))), false)
  pass(timeoutMs)
  assert.deepEqual(over.map(told), ['0 1 of 2'])
})

test('what the app did not take is not mixed with the next report of the same requestId', t => {
  const { reports } = newReports(t)
  reports.take(unnumbered('a+'))
  reports.settle(wholeIn(reports.take(unnumbered('b.'))), false)
  assert.equal(said(reports.take(unnumbered('c+'))), 'part, before it a b of 2')
  assert.equal(said(reports.take(unnumbered('d.'))), 'c d of 2')
})

test('the same list again, after the app did not take it, waits for its last part', t => {
  const { reports } = newReports(t)
  reports.take(unnumbered('a+'))
  reports.settle(wholeIn(reports.take(unnumbered('b.'))), false)
  assert.equal(said(reports.take(unnumbered('a+'))), 'part')
  assert.equal(said(reports.take(unnumbered('b.'))), 'a b of 2')
})

test('the last part again under its id, after the app has taken the whole, begins nothing', t => {
  const { reports } = newReports(t)
  for (const [first, last] of [
    [part('0+'), part('1.')],
    [unnumbered('a+'), unnumbered('b.')],
  ] as const) {
    reports.take(first)
    reports.settle(wholeIn(reports.take(last)), true)
    assert.equal(said(reports.take(last)), 'settled')
    assert.deepEqual(reports.takeAll(), [])
  }
})

test('the time of what was given up is not that of what begins anew', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  reports.take(part('1+'))
  pass(timeoutMs - 1)
  reports.take(part('0+', 7, ['x']))
  pass(timeoutMs - 1)
  assert.deepEqual(over, [])
  pass(1)
  assert.deepEqual(over.map(told), ['x of 1 lacks []'])
})

test('to settle what was given up says nothing of the report that follows it', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('0+'))
  pass(timeoutMs)
  reports.take(part('0+'))
  for (const whole of over) reports.settle(whole, true)
  assert.equal(said(reports.take(part('1.'))), '0 1 of 2')
})

test('all that is there is taken at the end, and no time runs on', t => {
  const { reports, over, pass } = newReports(t)
  reports.take(part('1+', 7))
  reports.take(part('0+', 8))
  reports.settle(wholeIn(reports.take(part('1.', 8))), false)
  assert.deepEqual(reports.takeAll().map(told), ['1 of 1 lacks [0]', '0 1 of 2'])
  assert.deepEqual(reports.takeAll(), [])
  pass(2 * timeoutMs)
  assert.deepEqual(over, [])
})

test('sixteen reports at a time; the seventeenth goes as it comes, until there is room', t => {
  const { reports } = newReports(t)
  for (let requestId = 1; requestId <= 16; requestId++) assert.equal(said(reports.take(part('0+', requestId))), 'part')
  assert.equal(said(reports.take(part('0+', 17))), 'full')
  assert.equal(said(reports.take(part('0.', 17))), 'raw', 'one that is whole at once needs no room')
  reports.settle(wholeIn(reports.take(part('1.', 16))), true)
  assert.equal(said(reports.take(part('0+', 17))), 'part')
})

test('a thousand parts are a report; one more gives up those before it', t => {
  const { reports } = newReports(t)
  for (let at = 0; at < 1_000; at++) reports.take(unnumbered(`${at}+`))
  const taken = reports.take(unnumbered('more.'))
  assert.equal(taken.kind, 'full')
  assert.match(said(taken), /^full, before it 0 1 .* 999 of 1000 lacks \[\]$/)
})

const mebibyte = 1024 * 1024

test('bytes are bounded over all reports; a part that is too much gives up its own report, and only that', t => {
  const { reports } = newReports(t)
  const big = (number: string, requestId: number): Call => part(number, requestId, ['x'.repeat(mebibyte)])
  reports.take(part('0+', 7))
  reports.take(big('1+', 7))
  reports.take(big('0+', 8))
  assert.equal(said(reports.take(big('0+', 8))), 'part', 'a part in the place of the same one takes no more')
  assert.equal(reports.take(big('0+', 9)).kind, 'full', 'a third of them, and what is around it')
  const taken = reports.take(big('1+', 8))
  assert.equal(taken.kind, 'full')
  assert.match(said(taken), /^full, before it x+ of 1 lacks \[\]$/)
  assert.equal(said(reports.take(big('2+', 7))), 'part', 'there is room again')
  assert.equal(reports.takeAll().length, 1)
  for (const number of ['0+', '1+']) assert.equal(said(reports.take(big(number, 1))), 'part', 'nothing is left')
})

test('bytes are what the app will be sent: a euro is three', t => {
  const { reports } = newReports(t)
  assert.equal(reports.take(part('0+', 7, ['€'.repeat(mebibyte)])).kind, 'full')
})

test('whatever comes, in whatever order: each part goes to the app, and nothing is left', t => {
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
      const { reports, over, pass } = newReports(t)
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
      for (const { call } of [...over.splice(0), ...reports.takeAll()]) perform(call)
      assert.deepEqual(new Set(toApp), items)
    }),
    { numRuns: 1_000 },
  )
})
