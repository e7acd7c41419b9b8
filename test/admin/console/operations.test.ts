import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versions } from '../../../src/ocpp/version.ts'
import { openFakeAdmin } from '../support.ts'

test('warnings are listed, the latest first', async t => {
  const warnings = [
    '{"level":"WARN","time":"2026-01-01T00:00:00.000Z","nodeid":"n","station":"CP1","msg":"one"}\n',
    '{"level":"ERROR","time":"2026-01-01T00:00:01.000Z","nodeid":"n","msg":"two"}\n',
  ]
  const { client } = await openFakeAdmin(t, { warnings })
  const { body } = await client(null).get('/v1/warnings')
  assert.deepEqual(body['warnings'], [
    { at: '2026-01-01T00:00:01.000Z', level: 'error', message: 'two', fields: { nodeid: 'n' } },
    { at: '2026-01-01T00:00:00.000Z', level: 'warn', message: 'one', fields: { nodeid: 'n', station: 'CP1' } },
  ])
})

for (const { number } of Object.values(versions)) {
  test(`every action of ${number} has its schemas, without references`, async t => {
    const { client } = await openFakeAdmin(t)
    const { body } = await client(null).get(`/v1/schemas/${number}`)
    const { toStation, fromStation } = body as { readonly toStation: string[]; readonly fromStation: string[] }
    assert.ok(toStation.includes('Reset') && fromStation.includes('BootNotification'))
    for (const action of new Set([...toStation, ...fromStation])) {
      const { status, text, body: schemas } = await client(null).get(`/v1/schemas/${number}/${action}`)
      assert.equal(status, 200)
      assert.equal((schemas['request'] as { readonly type: string }).type, 'object', action)
      assert.doesNotMatch(text, /"\$ref"/)
      assert.ok(text.length < 256 * 1024, `${action}: ${text.length} characters`)
    }
  })
}
