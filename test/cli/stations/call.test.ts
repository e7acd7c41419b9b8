import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { callExits } from '../../../src/cli/stations/call-exits.ts'
import { json, openFakeApi, problem } from '../../support/admin-api.ts'
import { freePort } from '../../support/ports.ts'
import { runCommand } from '../../../src/cli/run.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const answer = '{"id":"m1","action":"Reset","payload":{"status": "Accepted","x":1.50},"milliseconds":3,"violations":[]}'

test('call prints the payload of the answer, digit for digit', async t => {
  const api = await openFakeApi(t, json(answer))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset', '{"type": 1.50}', '--timeout=90s'), 0)
  assert.equal(terminal.out, '{"status": "Accepted","x":1.50}\n')
  assert.equal(terminal.err, '')
  const [{ method, url, body } = { method: '', url: '', body: '' }] = api.asked
  assert.deepEqual([method, url], ['POST', '/v1/stations/CP1/calls'])
  assert.equal(body, '{"action":"Reset","payload":{"type": 1.50},"timeout":90}')
})

test('call --json prints the whole answer', async t => {
  const api = await openFakeApi(t, json(answer))
  const terminal = new FakeTerminal()
  await api.run(terminal, 'call', 'CP1', 'Reset', '--json')
  assert.equal(terminal.out, `${answer}\n`)
  assert.equal(api.asked[0]?.body, '{"action":"Reset","payload":{}}')
})

test('call warns of an answer that violates its schema', async t => {
  const api = await openFakeApi(t, json(answer.replace('[]', '[{"path":"/status","rule":"enum"}]')))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset'), 0)
  assert.equal(terminal.err, 'the answer violates its schema: /status: enum\n')
})

test('call reads the payload from a file and from standard input', async t => {
  const api = await openFakeApi(t, json(answer))
  const terminal = new FakeTerminal()
  const file = path.join(temporaryDirectory(t), 'payload.json')
  writeFileSync(file, ' {"from":"file"}\n')
  terminal.input = '{"from":"input"}\n'
  await api.run(terminal, 'call', 'CP1', 'Reset', `@${file}`)
  await api.run(terminal, 'call', 'CP1', 'Reset', '-')
  assert.deepEqual(
    api.asked.map(({ body }) => body),
    ['file', 'input'].map(from => `{"action":"Reset","payload":{"from":"${from}"}}`),
  )
  assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset', `@${file}x`), 2)
  assert.equal(api.asked.length, 2)
})

for (const [payload, message] of [
  ['{type:1}', 'the payload is not JSON: {type:1}\n'],
  ['[]', 'the payload is not a JSON object: []\n'],
] as const) {
  test(`call ends with 6, and sends nothing, for the payload ${payload}`, async t => {
    const api = await openFakeApi(t, json(answer))
    const terminal = new FakeTerminal()
    assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset', payload), 6)
    assert.deepEqual([terminal.err, api.asked.length], [message, 0])
  })
}

for (const { code, problems } of callExits) {
  for (const name of problems) {
    test(`call ends with ${code} for the problem ${name}, in words on standard error`, async t => {
      const api = await openFakeApi(t, problem(name, 'why'))
      const terminal = new FakeTerminal()
      assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset'), code)
      assert.equal(terminal.out, '')
      assert.match(terminal.err, /^.+\n$/)
    })
  }
}

test('call shows the code, description and details of a CALLERROR', async t => {
  const more = { code: 'NotSupported', description: 'no\u001b', details: { a: 1 } }
  const api = await openFakeApi(t, problem('call-error', undefined, more))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset', '--json'), 3)
  assert.equal(terminal.err, 'CALLERROR NotSupported: no\\u001b {"a":1}\n')
  assert.equal((JSON.parse(terminal.out) as { readonly code: string }).code, 'NotSupported')
})

test('call ends with 1 when there is no bridge', async () => {
  const terminal = new FakeTerminal()
  const url = `http://127.0.0.1:${await freePort()}`
  assert.equal(await runCommand(['call', 'CP1', 'Reset', `--admin_url=${url}`], terminal), 1)
})
