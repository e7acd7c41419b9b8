import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openExpiryWarnings } from '../../../src/server/tls/expiry.ts'

const day = 86_400_000
const now = Date.UTC(2026, 0, 2)

test('certificates that expire within 30 days are named at the start, once a day, and when asked', t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const inDays = (days: number): number => (now + days * day) / 1000
  const shared = ['shared.crt', inDays(29)] as const
  const certificates = [
    { expiries: [shared, ['late.crt', inDays(31)] as const] },
    { expiries: [shared, ['old.crt', inDays(-2)] as const] },
  ]
  const lines: unknown[] = []
  const log = {
    warn: (fields: object, message: string) => void lines.push([message, ...(Object.values(fields) as unknown[])]),
  }
  const warnings = openExpiryWarnings(certificates, log, () => now)
  t.after(() => warnings.close())
  const expected = [
    ['a certificate expires soon: renew it', 'shared.crt', '2026-01-31T00:00:00.000Z', 29],
    ['a certificate has expired: renew it', 'old.crt', '2025-12-31T00:00:00.000Z', -2],
  ]
  assert.deepEqual(lines, expected)
  t.mock.timers.tick(day)
  assert.deepEqual(lines, [...expected, ...expected])
  warnings.check()
  assert.equal(lines.length, 6)
})
