import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { expiryOfChain, expiryOfLists, openExpiryWarnings, type Expiry } from '../../../src/server/tls/expiry.ts'

const hour = 3_600_000
const day = 24 * hour
const start = Date.UTC(2026, 0, 2)
const inDays = (days: number): number => (start + days * day) / 1000
const list = (file: string, from: number, until: number): Expiry =>
  expiryOfLists(file, [{ from: inDays(from), until: inDays(until) }])

/** The lines, and a clock that runs with the timers. */
function open(t: TestContext, certificates: readonly { expiries: readonly Expiry[] }[]) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = start
  const lines: unknown[][] = []
  const log = {
    warn: (fields: object, message: string) => void lines.push([message, ...(Object.values(fields) as unknown[])]),
  }
  const warnings = openExpiryWarnings(certificates, log, () => now)
  t.after(() => warnings.close())
  const pass = (hours: number): unknown[][] => {
    lines.length = 0
    for (let count = 0; count < hours; count += 1) {
      now += hour
      t.mock.timers.tick(hour)
    }
    return lines
  }
  return { lines, warnings, pass }
}

test('certificates that expire within 30 days are named at the start, once a day, and when asked', t => {
  const shared = expiryOfChain('shared.crt', inDays(29))
  const certificates = [
    { expiries: [shared, expiryOfChain('late.crt', inDays(31))] },
    { expiries: [shared, expiryOfChain('old.crt', inDays(-2))] },
  ]
  const { lines, warnings, pass } = open(t, certificates)
  assert.deepEqual(lines, [
    ['a certificate expires soon: renew it', 'shared.crt', '2026-01-31T00:00:00.000Z', 29],
    ['a certificate has expired: renew it', 'old.crt', '2025-12-31T00:00:00.000Z', -2],
  ])
  assert.deepEqual(pass(23), [])
  assert.equal(pass(1).length, 3) // `late.crt` is late no more
  warnings.check()
  assert.equal(lines.length, 6)
})

const rows: readonly (readonly [from: number, until: number, isNamed: boolean, because: string])[] = [
  [-5, 2, false, 'more than a quarter of a week is left'],
  [-5.5, 1.5, true, 'less than a quarter of a week is left'],
  [-0.5, 0.5, false, 'half of a day is left'],
  [-0.8, 0.2, true, 'less than a quarter of a day is left'],
  [-334, 31, false, 'more than 30 days of a year are left'],
  [-336, 29, true, 'less than 30 days of a year are left'],
  [-10, -3, true, 'it has expired'],
]
for (const [from, until, isNamed, because] of rows) {
  test(`a revocation list is ${isNamed ? '' : 'not '}named when ${because}`, t => {
    const { lines } = open(t, [{ expiries: [list('stations.crl', from, until)] }])
    assert.equal(lines.length, Number(isNamed))
  })
}

test('a revocation list that expires between two daily lines is named within the hour, with its effect', t => {
  const { lines, pass } = open(t, [{ expiries: [list('stations.crl', -0.9, 0.1)] }])
  assert.deepEqual(lines, [['a revocation list expires soon: renew it', 'stations.crl', '2026-01-02T02:24:00.000Z', 0]])
  assert.deepEqual(pass(2), [])
  assert.deepEqual(pass(22), [
    [
      'a revocation list has expired: stations with a certificate are refused until it is renewed',
      ...['stations.crl', '2026-01-02T02:24:00.000Z', -1],
    ],
  ])
})

test('a file of several lists is that of the list which expires first', () => {
  const lists = [
    { from: 0, until: 4_000 },
    { from: 1_000, until: 3_000 },
  ]
  assert.deepEqual(expiryOfLists('a', lists), { file: 'a', kind: 'revocation_list', until: 3_000, noticeS: 500 })
})
