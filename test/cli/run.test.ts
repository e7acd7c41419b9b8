import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand } from '../../src/cli/run.ts'
import { openFakeApi, problem } from '../support/admin-api.ts'
import { FakeTerminal } from '../support/terminal.ts'

const rows = [
  [['statons'], '"statons": unknown command; did you mean stations?\nSee ocpp-cable --help.\n', 'a misspelled command'],
  [['x\u001b[2J'], '"x\\u001b[2J": unknown command\nSee ocpp-cable --help.\n', 'an escape sequence'],
  [['call', 'CP1'], 'ACTION is missing\nSee ocpp-cable call --help.\n', 'an argument is missing'],
  [
    ['stations', '--\u001b[31m'],
    '--\\u001b[31m: unknown flag\nSee ocpp-cable stations --help.\n',
    'an escape sequence as a flag',
  ],
] as const
for (const [argv, message, because] of rows) {
  test(`runCommand exits with 2 and a hint: ${because}`, async () => {
    const terminal = new FakeTerminal()
    assert.equal(await runCommand(argv, terminal), 2)
    assert.deepEqual([terminal.err, terminal.out], [message, ''])
  })
}

test('runCommand prints the help on standard output, and runs nothing', async () => {
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['stations', '--help'], terminal), 0)
  assert.match(terminal.out, /^Usage: ocpp-cable stations \[GLOB\]/)
  assert.equal(terminal.err, '')
})

test('runCommand prints a failure as one line on standard error', async t => {
  const api = await openFakeApi(t, problem('queue-full', 'CP1 has \u001b[2J50 commands'))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'disconnect', 'CP1'), 1)
  assert.equal(terminal.err, 'Too many commands wait for this Charging Station: CP1 has \\u001b[2J50 commands\n')
  assert.equal(terminal.out, '')
})

test('runCommand escapes line breaks in what a station has sent, so that it makes no lines', async t => {
  const forged = { code: 'X\nok', description: 'a\r\nb\u2028c', details: {} }
  const api = await openFakeApi(t, problem('call-error', 'd\ne', forged))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'call', 'CP1', 'Reset'), 3)
  assert.equal(terminal.err, 'CALLERROR X\\u000aok: a\\u000d\\u000ab\\u2028c\n')
  assert.equal(await api.run(terminal, 'disconnect', 'CP1'), 1)
  assert.equal(terminal.err.split('\n').length, 3)
})

test('runCommand rejects with what is a bug', async t => {
  const api = await openFakeApi(t, (_asked, response) => void response.end('{"stations":7}'))
  const terminal = new FakeTerminal()
  await assert.rejects(api.run(terminal, 'stations'), TypeError)
})
