import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { keysProbe } from '../../../src/cli/check/keys.ts'
import { temporaryDirectory } from '../../support/store.ts'

const hash = '$scrypt$ln=1,r=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'

const rows: readonly (readonly [text: string, mode: number, status: string, found: RegExp, fix: RegExp | null])[] = [
  [`CP1 ${hash}\n`, 0o600, 'ok', /keys: 1 station$/, null],
  [`CP1 ${hash}\nCP2 ${hash}\n`, 0o644, 'warn', /keys: 2 stations; other users may read or change/, /^set its mode to 0600/],
  ['', 0o600, 'warn', /keys: 0 stations; ocpp_auth_file has no keys/, /^add keys by ocpp-cable auth/],
  ['# none\n', 0o644, 'warn', /other users.*; ocpp_auth_file has no keys/, /^set its mode.*; add keys/],
  [`CP1 ${hash}\nCP1 ${hash}\n`, 0o600, 'fail', /keys: line 2: the station has a line above$/, /^correct or remove/],
  [`CP1 ${hash}\nCP2 hunter2\n`, 0o600, 'fail', /keys: line 2: the hash of the key is not one of scrypt$/, /^correct/],
  ['CP1\n'.repeat(7), 0o600, 'fail', /line 5: expected an identity and the hash of its key; and 2 more$/, /^correct/],
] // prettier-ignore
for (const [text, mode, status, found, fix] of rows) {
  test(`a file of mode ${mode.toString(8)} with ${JSON.stringify(text.slice(0, 20))} … is ${status}: ${found.source}`, async t => {
    const file = join(temporaryDirectory(t), 'keys')
    writeFileSync(file, text, { mode })
    const finding = await keysProbe(file)
    assert.equal(finding.status, status)
    assert.match(finding.found, found)
    assert.equal(finding.found.includes('hunter2'), false)
    if (fix === null) assert.equal(finding.fix, null)
    else assert.match(finding.fix ?? '', fix)
  })
}

test('a file that is missing, or is a directory, fails', async t => {
  const dir = temporaryDirectory(t)
  const missing = await keysProbe(join(dir, 'none'))
  assert.match(missing.found, /^ocpp_auth_file: .*none cannot be read: ENOENT/)
  assert.deepEqual([missing.status, (await keysProbe(dir)).status], ['fail', 'fail'])
})

test('without a file there is nothing to check: the app does it', async () => {
  assert.equal((await keysProbe(null)).status, 'skip')
})
