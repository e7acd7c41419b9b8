import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { listedOf, messageText } from '../../src/admin/outbox.ts'
import { announceBridge } from '../../src/cli/admin/local-bridge.ts'
import { runCommand } from '../../src/cli/run.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { outboxMessage } from '../store/messages.ts'
import { json, openFakeApi, problem } from '../support/admin-api.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'
import { FakeTerminal } from '../support/terminal.ts'

const message = (number: number) => ({
  number,
  station: 'CP1',
  version: '1.6',
  action: 'StopTransaction',
  key: 'k',
  storedAt: '2026-01-02T03:04:05.000Z',
  attempts: 3,
  state: 'dead',
  deadAt: null,
  error: 'undefined\n\u001b[2Jmethod',
})
const flags = ['--ignore-config-path']

test('outbox list asks the bridge page by page, and prints tabs', async t => {
  const api = await openFakeApi(t, (asked, response) => {
    const isLast = asked.url.includes('after=1')
    json({ messages: [message(isLast ? 2 : 1)], next: isLast ? null : 1 })(asked, response)
  })
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'outbox', 'list', ...flags), 0)
  const rest = '\tCP1\t1.6\tStopTransaction\t2026-01-02T03:04:05.000Z\t3\tdead\tundefined\\u000a\\u001b[2Jmethod'
  assert.deepEqual(terminal.lines, [`1${rest}`, `2${rest}`])
})

test('outbox show and export print each message as the bridge sends it', async t => {
  const api = await openFakeApi(t, (asked, response) => {
    const [, number] = /^\/v1\/outbox\/(\d+)$/.exec(asked.url) ?? []
    json(number === undefined ? { messages: [message(1), message(2)], next: null } : `{"number":${number},"x":1.50}`)(
      asked,
      response,
    )
  })
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'outbox', 'show', '2', ...flags), 0)
  assert.deepEqual(terminal.lines, ['{"number":2,"x":1.50}'])
  await api.run(terminal, 'outbox', 'export', ...flags)
  assert.deepEqual(terminal.lines.slice(1), ['{"number":1,"x":1.50}', '{"number":2,"x":1.50}'])
})

test('outbox export goes on when a message is delivered between the list and its own turn; outbox show does not', async t => {
  const api = await openFakeApi(t, (asked, response) => {
    const [, number] = /^\/v1\/outbox\/(\d+)$/.exec(asked.url) ?? []
    if (number === undefined) json({ messages: [1, 2, 3].map(message), next: null })(asked, response)
    else if (number === '2') problem('unknown-message')(asked, response)
    else json({ number })(asked, response)
  })
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'outbox', 'export', ...flags), 0)
  assert.deepEqual(terminal.lines, ['{"number":"1"}', '{"number":"3"}'])
  assert.equal(await api.run(new FakeTerminal(), 'outbox', 'show', '2', ...flags), 1)
})

const changes = [
  [['retry', '1', '2'], '/v1/outbox/retry', { numbers: [1, 2] }],
  [['drop', 'all'], '/v1/outbox/drop', { all: true }],
] as const
for (const [words, url, body] of changes) {
  test(`outbox ${words.join(' ')} asks the bridge for it`, async t => {
    const api = await openFakeApi(t, json({ messages: 1 }))
    const terminal = new FakeTerminal()
    assert.equal(await api.run(terminal, 'outbox', ...words, ...flags), 0)
    assert.equal(terminal.out, `1 message of ${api.url}\n`)
    assert.deepEqual([api.asked[0]?.method, api.asked[0]?.url], ['POST', url])
    assert.deepEqual(JSON.parse(api.asked[0]?.body ?? ''), body)
  })
}

/** A directory with the messages 1, pending, and 2, a dead letter; and a terminal on a machine where no bridge runs. */
async function stopped(t: TestContext) {
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  const outbox = outboxOf(store, Infinity)
  await outbox.append(outboxMessage('a'))
  await outbox.append({ ...outboxMessage('b', { station: 'CP2' }), payload: '{"meterStop": 2935.600}' as never })
  await outbox.deadLetter(2, 'undefined\nmethod')
  const rows = [await store.call('outboxFind', 1), await store.call('outboxFind', 2)].map(row => row ?? assert.fail())
  await store.close()
  const terminal = new FakeTerminal()
  terminal.env = { XDG_RUNTIME_DIR: temporaryDirectory(t) }
  const outboxIn = (...words: readonly string[]) => runCommand(['outbox', ...words, `--state_dir=${dir}`, ...flags], terminal) // prettier-ignore
  return { dir, rows, terminal, outboxIn }
}

test('outbox prints the same of a directory as of a bridge', async t => {
  const { rows, terminal, outboxIn } = await stopped(t)
  const api = await openFakeApi(t, (asked, response) => {
    const [, number] = /^\/v1\/outbox\/(\d+)$/.exec(asked.url) ?? []
    const row = rows.find(({ seq }) => String(seq) === number)
    json(row === undefined ? { messages: rows.map(listedOf), next: null } : messageText(row))(asked, response)
  })
  for (const words of [['list'], ['export'], ['show', '2']]) {
    const ofBridge = new FakeTerminal()
    terminal.out = ''
    assert.deepEqual([await api.run(ofBridge, 'outbox', ...words, ...flags), await outboxIn(...words)], [0, 0])
    assert.equal(terminal.out, ofBridge.out)
    assert.equal(terminal.lines.length, words.length === 1 ? 2 : 1)
  }
  const { number, id, version, state, payload } = JSON.parse(terminal.out) as Readonly<Record<string, unknown>>
  assert.deepEqual([number, id, version, state, payload], [2, 'b', '1.6', 'dead', { meterStop: 2935.6 }])
  assert.match(terminal.out, /"payload":\{"meterStop": 2935\.600\}/)
})

test('outbox changes the directory when no bridge runs', async t => {
  const { dir, terminal, outboxIn } = await stopped(t)
  assert.equal(await outboxIn('retry', '2'), 0)
  assert.equal(await outboxIn('drop', 'all'), 0)
  assert.equal(terminal.out, `1 message of ${dir}\n2 messages of ${dir}\n`)
})

test('outbox says what is missing in the directory', async t => {
  const { dir, terminal, outboxIn } = await stopped(t)
  const unused = temporaryDirectory(t)
  assert.equal(await outboxIn('show', '1', '7', '8'), 1)
  assert.equal(terminal.lines.length, 1)
  assert.equal(await runCommand(['outbox', 'list', `--state_dir=${unused}`, ...flags], terminal), 1)
  assert.equal(await runCommand(['outbox', 'list', ...flags], terminal), 1)
  const store = await openSourceStore(dir)
  t.after(() => store.close())
  assert.equal(await outboxIn('drop', 'all'), 1)
  assert.deepEqual(terminal.err.split('\n').map(line => line.replace(/another process uses it.*/, 'in use')), [
    'The outbox has no such message: 7, 8',
    `state_dir ${unused}: no bridge has used it yet`,
    'state_dir is not set: add --state_dir=DIRECTORY',
    `state_dir ${dir}: in use`,
    '',
  ]) // prettier-ignore
  assert.deepEqual(readdirSync(unused), [])
})

for (const [words, because] of [
  [['drop', 'all'], 'a variable overrides the file'],
  [['list'], 'reading goes where a change would'],
] as const) {
  test(`outbox ${words.join(' ')} asks the bridge of ANYCABLE_ADMIN_URL when the TOML file has a state_dir: ${because}`, async t => {
    const { dir, terminal } = await stopped(t)
    const api = await openFakeApi(t, json({ messages: words[0] === 'list' ? [] : 7, next: null }))
    const file = path.join(dir, 'bridge.toml')
    writeFileSync(file, `[state]\ndir = ${JSON.stringify(dir)}\n`)
    terminal.env = { ...terminal.env, ANYCABLE_ADMIN_URL: api.url }
    assert.equal(await runCommand(['outbox', ...words, `--config-path=${file}`], terminal), 0, terminal.err)
    assert.equal(api.asked.length, 1)
    assert.equal(terminal.out, words[0] === 'list' ? '' : `7 messages of ${api.url}\n`)
    terminal.env = { XDG_RUNTIME_DIR: terminal.env['XDG_RUNTIME_DIR'] }
    terminal.out = ''
    assert.equal(await runCommand(['outbox', ...words, `--config-path=${file}`], terminal), 0, terminal.err)
    assert.match(terminal.out, words[0] === 'list' ? /^1\tCP1\t/ : /^2 messages of \//)
    assert.equal(api.asked.length, 1)
  })
}

test('outbox changes the directory of --state_dir when ANYCABLE_ADMIN_URL names another bridge', async t => {
  const api = await openFakeApi(t, json({ messages: 7 }))
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  await outboxOf(store, Infinity).append(outboxMessage('a'))
  await store.close()
  const terminal = new FakeTerminal()
  terminal.env = { ANYCABLE_ADMIN_URL: api.url, XDG_RUNTIME_DIR: temporaryDirectory(t) }
  assert.equal(await runCommand(['outbox', 'drop', 'all', `--state_dir=${dir}`, ...flags], terminal), 0)
  assert.equal(terminal.out, `1 message of ${dir}\n`)
  assert.equal(api.asked.length, 0)
})

test('outbox changes the bridge in --state_dir when ANYCABLE_ADMIN_URL names another bridge', async t => {
  const [meant, other] = [await openFakeApi(t, json({ messages: 1 })), await openFakeApi(t, json({ messages: 7 }))]
  const dir = temporaryDirectory(t)
  const terminal = new FakeTerminal()
  terminal.env = { ANYCABLE_ADMIN_URL: other.url, XDG_RUNTIME_DIR: temporaryDirectory(t) }
  announceBridge({ pid: process.pid, url: meant.url, ports: [] }, terminal.env, dir)
  assert.equal(await runCommand(['outbox', 'retry', 'all', '--state_dir', dir, ...flags], terminal), 0)
  assert.equal(terminal.out, `1 message of ${meant.url}\n`)
  assert.equal(other.asked.length, 0)
})

test('outbox says that the bridge has none', async t => {
  const api = await openFakeApi(t, problem('no-outbox'))
  const terminal = new FakeTerminal()
  assert.equal(await api.run(terminal, 'outbox', 'list', ...flags), 1)
  assert.equal(terminal.err, 'the bridge has no outbox: start it with --state_dir=DIRECTORY\n')
})

const wrong = [
  [['lists'], '"lists": expected list, show, export, retry or drop'],
  [['list', '1'], 'list takes no numbers'],
  [['show'], 'show takes numbers of messages'],
  [['show', 'all'], '"all": expected the number of a message'],
  [['drop'], 'drop takes numbers of messages, or all'],
  [['drop', 'all', '1'], '"all": expected the number of a message'],
  [['retry', '1;'], '"1;": expected the number of a message'],
  [['retry', '0'], '"0": expected the number of a message'],
  [['drop', 'all', '--state_dir=x'], '--admin_url and --state_dir exclude each other'],
] as const
for (const [words, said] of wrong) {
  test(`outbox ${words.join(' ')} is wrong usage, and asks nobody`, async t => {
    const api = await openFakeApi(t, json({}))
    const terminal = new FakeTerminal()
    assert.equal(await api.run(terminal, 'outbox', ...words), 2)
    assert.equal(terminal.err.split('\n')[0], said)
    assert.equal(api.asked.length, 0)
  })
}

test('outbox with a flag that the bridge does not have is wrong usage', async () => {
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['outbox', 'list', '--state_dri=x'], terminal), 2)
  assert.match(terminal.err, /--state_dri: unknown flag; did you mean --state_dir\?/)
})
