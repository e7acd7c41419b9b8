import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame } from '../../../src/cli/show/pairs.ts'
import { events, openFakeApi } from '../../support/admin-api.ts'
import { FakeTerminal } from '../../support/terminal.ts'

const call: Frame = {
  at: '2026-01-02T03:04:05.006Z',
  station: 'CP1',
  sid: 's1',
  direction: 'received',
  type: 'call',
  id: '1',
  action: 'StartTransaction',
  milliseconds: null,
  isError: false,
  frame: '[2,"1","StartTransaction",{"idTag":"***"}]',
}
const other: Frame = { ...call, station: 'CP\u001b2', type: 'send', action: null, frame: '[6,"x"]' }
const error: Frame = {
  ...call,
  direction: 'sent',
  type: 'callError',
  milliseconds: 12.4,
  isError: true,
  frame: '[4,"1","InternalError","",{}]',
}
const stream = events(['message', call], ['message', other], ['message', error], ['lost', { count: 3 }])
const withoutTime = (line: string): string => line.replace(/\d\d:\d\d:05\.006/, 'TIME')

test('tail prints a CALL and its answer on adjacent lines, and says what was lost', async t => {
  const api = await openFakeApi(t, stream)
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'tail', 'CP*', '--action=StartTransaction'), 1)
  assert.deepEqual(terminal.lines.map(withoutTime), [
    'TIME CP\\u001b2 → send [6,"x"]',
    'TIME CP1 → StartTransaction [2,"1","StartTransaction",{"idTag":"***"}]',
    'TIME CP1 ← StartTransaction 12 ms [4,"1","InternalError","",{}]',
  ])
  assert.equal(
    terminal.err,
    '3 frames were lost: this terminal reads too slowly\nthe bridge ended the stream: it is shutting down\n',
  )
  assert.equal(api.asked[0]?.url, '/v1/messages?station=CP*&action=StartTransaction')
})

test('tail --errors prints errors with their CALLs', async t => {
  const api = await openFakeApi(t, stream)
  const terminal = new FakeTerminal()
  await api.run(terminal, 'tail', '--errors')
  assert.deepEqual(terminal.lines.map(line => line.split(' ')[2]), ['→', '←']) // prettier-ignore
  assert.equal(api.asked[0]?.url, '/v1/messages', 'a bridge that sends errors only would leave out the CALLs')
})

test('tail --errors prints an answer that refuses a card, in red', async t => {
  const frame = '[3,"1",{"idTagInfo":{"status":"Blocked"}}]'
  const refusal: Frame = { ...error, type: 'callResult', frame }
  const api = await openFakeApi(t, events(['message', call], ['message', refusal]))
  const terminal = new FakeTerminal()
  terminal.hasColours = true
  await api.run(terminal, 'tail', '--errors')
  assert.deepEqual(terminal.lines.map(line => line.split(' ')[2]), ['→', '←']) // prettier-ignore
  assert.equal(terminal.lines[1]?.endsWith(`\u001b[31m${frame}\u001b[0m`), true)
})

test('tail colours the time and the frame, errors in red', async t => {
  const api = await openFakeApi(t, stream)
  const terminal = new FakeTerminal()
  terminal.hasColours = true
  await api.run(terminal, 'tail')
  assert.match(terminal.lines.at(-1) ?? '', /^\u001b\[2m[\d:.]+\u001b\[0m CP1 .* \u001b\[31m\[4,.*\u001b\[0m$/) // eslint-disable-line no-control-regex -- colours
})

test('tail --json prints each frame as the API sends it', async t => {
  const api = await openFakeApi(t, stream)
  const terminal = new FakeTerminal()
  await api.run(terminal, 'tail', '--json')
  assert.deepEqual(terminal.lines.map(line => JSON.parse(line) as Frame), [call, other, error]) // prettier-ignore
  await api.run(terminal, 'tail', '--json', '--action=StartTransaction')
  assert.equal(api.asked[1]?.url, '/v1/messages?action=StartTransaction')
})

test('tail --errors --json prints errors with their CALLs, each as the API sends it', async t => {
  const api = await openFakeApi(t, stream)
  const terminal = new FakeTerminal()
  await api.run(terminal, 'tail', '--errors', '--json')
  assert.deepEqual(terminal.lines.map(line => JSON.parse(line) as Frame), [call, error]) // prettier-ignore
  assert.equal(api.asked[0]?.url, '/v1/messages', 'a bridge that sends errors only would leave out the CALLs')
})
