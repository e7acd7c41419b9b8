import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { validityOf } from '../../../src/server/tls/revocation-list.ts'
import { openCa, type Ca } from '../../support/certificate.ts'
import { run } from '../../support/process.ts'
import { withoutNextUpdate } from '../../support/revocation-list.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-crl-'))
after(() => rmSync(folder, { recursive: true }))

async function made(ca: Ca, days: number): Promise<string> {
  return readFileSync(await ca.crl(days), 'utf8')
}

const ca = await openCa(join(folder, 'ca'), 'Stations')

/** As openssl reads it. */
async function opensslTimes(file: string): Promise<number[]> {
  const { stdout } = await run('openssl', ['crl', '-in', file, '-noout', '-lastupdate', '-nextupdate'])
  return [...stdout.matchAll(/Update=(.*)/g)].map(([, time = '']) => Date.parse(time) / 1000)
}

// 9,000 days are beyond 2049, where the other form of time begins.
for (const days of [1, 7, 30, 9_000]) {
  test(`validityOf reads a list of ${days} days as openssl does`, async () => {
    const pem = await made(ca, days)
    const { from, until } = validityOf(pem)
    assert.deepEqual([from, until], await opensslTimes(join(folder, 'ca', 'crl.pem')))
    assert.equal((until ?? 0) - from, days * 86_400)
  })
}

test('validityOf reads a list with revoked certificates and a number', async () => {
  await ca.revoke(await ca.issue('revoked', { subject: '/CN=CP1' }))
  const { from, until } = validityOf(await made(ca, 7))
  assert.equal((until ?? 0) - from, 7 * 86_400)
})

test('validityOf finds no end in a list without nextUpdate', async () => {
  const pem = await made(ca, 7)
  const { from } = validityOf(pem)
  assert.deepEqual(validityOf(withoutNextUpdate(pem)), { from, until: null })
})

const pemOf = (der: Buffer): string => `-----BEGIN X509 CRL-----\n${der.toString('base64')}\n-----END X509 CRL-----\n`

test('validityOf throws for what is no list, at whichever byte it is cut', async () => {
  const der = Buffer.from((await made(ca, 7)).replace(/-----[^-]+-----/g, ''), 'base64')
  for (let length = 0; length < der.length; length += 1)
    assert.throws(() => validityOf(pemOf(der.subarray(0, length))), /revocation list/, `${length} bytes`)
  assert.throws(() => validityOf(readFileSync(ca.cert, 'utf8')), /revocation list/)
})
