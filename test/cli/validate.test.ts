import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { runCommand } from '../../src/cli/run.ts'
import { temporaryDirectory } from '../support/store.ts'
import { FakeTerminal } from '../support/terminal.ts'

const rows = [
  ['1.6 Heartbeat request', '{}', 0, ['valid: Heartbeat request of OCPP 1.6'], 'a valid request'],
  ['ocpp2.0.1 Heartbeat request', ' {}\n', 0, ['valid: Heartbeat request of OCPP 2.0.1'], 'the name on the wire'],
  [
    '1.6 UnlockConnector request',
    '{"connectorId":"1","x\\u001b":{"a":1}}',
    1,
    [
      'invalid: UnlockConnector request of OCPP 1.6',
      '/x\\u001b\tadditionalProperties\tis not a field of this message: {"a":1}',
      '/connectorId\ttype\thas the wrong type: "1"',
    ],
    'each violation has its path, its rule and what was found',
  ],
  [
    '2.1 Reset response',
    '{}',
    1,
    ['invalid: Reset response of OCPP 2.1', '/status\trequired\tis missing'],
    'a field is missing',
  ],
  [
    '1.6 Reset response',
    '{"status":"Perhaps"}',
    1,
    ['invalid: Reset response of OCPP 1.6', '/status\tenum\tis not one of the allowed values: "Perhaps"'],
    'a wrong word',
  ],
  [
    '1.6 Authorize request',
    `{"idTag":"${'7'.repeat(200)}"}`,
    1,
    ['invalid: Authorize request of OCPP 1.6', `/idTag\tmaxLength\tis too long: "${'7'.repeat(79)}…`],
    'what was found is cut',
  ],
  [
    '1.6 Heartbeat request',
    '[]',
    1,
    ['invalid: Heartbeat request of OCPP 1.6', 'payload\ttype\thas the wrong type: []'],
    'the payload itself',
  ],
  [
    '1.6 Heartbeat request',
    '{',
    1,
    ['invalid: Heartbeat request of OCPP 1.6', 'payload\tjson\tis not JSON'],
    'no JSON',
  ],
] as const
for (const [line, input, code, lines, because] of rows) {
  test(`validate ${line} ends with ${code}: ${because}`, async () => {
    const terminal = new FakeTerminal()
    terminal.input = input
    assert.equal(await runCommand(['validate', ...line.split(' ')], terminal), code)
    assert.deepEqual(terminal.lines, lines)
    assert.equal(terminal.err, '')
  })
}

const wrong = [
  ['1.5 Heartbeat request', '"1.5": expected a version, 1.6 or 2.0.1 or 2.1'],
  ['1.6 Heartbat request', '"Heartbat": not an action of OCPP 1.6; did you mean Heartbeat?'],
  ['1.6 NotifyReport request', '"NotifyReport": not an action of OCPP 1.6'],
  ['1.6 Heartbeat answer', '"answer": expected request or response'],
  ['2.1 NotifyPeriodicEventStream response', 'NotifyPeriodicEventStream is a SEND in OCPP 2.1, which has no response'],
] as const
for (const [line, message] of wrong) {
  test(`validate ${line} is wrong usage`, async () => {
    const terminal = new FakeTerminal()
    assert.equal(await runCommand(['validate', ...line.split(' ')], terminal), 2)
    assert.equal(terminal.err.split('\n')[0], message)
    assert.equal(terminal.out, '')
  })
}

test('validate reads a file, and says why it cannot', async t => {
  const file = path.join(temporaryDirectory(t), 'payload.json')
  writeFileSync(file, '{"type":"Soft"}')
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['validate', '1.6', 'Reset', 'request', file], terminal), 0)
  assert.equal(await runCommand(['validate', '1.6', 'Reset', 'request', `${file}x`], terminal), 2)
  assert.match(terminal.err, /payload\.jsonx: ENOENT/)
})
