/**
 * The built program with a `state_dir`: what it remembers when it is killed and started again, and that it goes on where
 * the directory cannot be used.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { outboxOf } from '../../src/store/outbox.ts'
import { outboxMessage } from '../store/messages.ts'
import { ScriptedApp } from '../support/app.ts'
import { commandBroadcast, openBridge, program, type Bridge } from '../support/bridge.ts'
import { Performs } from '../support/performs.ts'
import { run } from '../support/process.ts'
import { openRawStation } from '../support/station.ts'
import { openSourceStore, temporaryDirectory } from '../support/store.ts'

const within = { timeout: 60_000 }

let app: ScriptedApp
const performs = new Performs()

before(async () => {
  app = await ScriptedApp.start()
  let transactions = 100
  app.always(
    performs.script(({ command }) => {
      if (command === 'StartTransaction') return { idTagInfo: { status: 'Accepted' }, transactionId: ++transactions }
      return command === 'BootNotification' ? { status: 'Accepted', interval: 30 } : {}
    }),
  )
})

after(() => app.stop())

async function opened(t: TestContext, dir: string): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=${app.host}`, `--state_dir=${dir}`])
  t.after(() => bridge.close())
  return bridge
}

const timestamp = '2026-01-02T03:04:05Z'
const boot = JSON.stringify({ chargePointVendor: 'V', chargePointModel: 'M', meterSerialNumber: 'SN-1' })
const start = JSON.stringify({ connectorId: 1, idTag: 'A', meterStart: 5, timestamp })

test(
  'a bridge that was killed knows the serial number of a station that reconnects without a boot',
  within,
  async t => {
    const bridge = await opened(t, temporaryDirectory(t))
    const first = await openRawStation(bridge.url, 'CP1')
    await first.call('1', 'BootNotification', boot)
    await bridge.metricReaches('state_write_total', 1)
    await bridge.restart()
    const again = await openRawStation(bridge.url, 'CP1')
    t.after(() => again.close())
    assert.match(await again.call('2', 'Heartbeat'), /currentTime/)
    await bridge.broadcast(commandBroadcast('SN-1', { command: 'ClearCache', id: 'clear', payload: {} }))
    assert.equal(await again.message(/"ClearCache"/), '[2,"clear","ClearCache",{}]')
  },
)

test('a bridge that was killed answers a repeated StartTransaction as before, after one perform', within, async t => {
  const bridge = await opened(t, temporaryDirectory(t))
  const first = await openRawStation(bridge.url, 'CP2')
  await first.call('1', 'BootNotification', boot)
  const answer = await first.call('start', 'StartTransaction', start)
  assert.match(answer, /"transactionId":\d+/)
  await bridge.metricReaches('state_write_total', 2)
  await bridge.restart()
  const again = await openRawStation(bridge.url, 'CP2')
  t.after(() => again.close())
  assert.equal(await again.call('start', 'StartTransaction', start), answer)
  const starts = performs.of('CP2').filter(({ command }) => command === 'StartTransaction')
  assert.equal(starts.length, 1)
})

test(
  'a bridge opens its state_dir when the other one that uses it has ended, and serves meanwhile',
  within,
  async t => {
    const dir = temporaryDirectory(t)
    const old = await opened(t, dir)
    const first = await openRawStation(old.url, 'CP3')
    await first.call('1', 'BootNotification', boot)
    const answer = await first.call('start', 'StartTransaction', start)
    await old.metricReaches('state_write_total', 2)
    const bridge = await opened(t, dir)
    const { level, error } = await bridge.logged(/state_dir is in use by another process/)
    assert.equal(level, 'WARN')
    assert.match(String(error), /another process uses it/)
    assert.deepEqual([await bridge.metric('state_error_total'), await bridge.metric('state_open_num')], [1, 0])
    const other = await openRawStation(bridge.url, 'CP5')
    t.after(() => other.close())
    assert.match(await other.call('1', 'BootNotification', boot.replace('SN-1', 'SN-5')), /Accepted/)
    assert.deepEqual(await old.kill('SIGTERM'), { code: 0, signal: null })
    await bridge.logged(/state_dir is open/)
    assert.equal(await bridge.metric('state_open_num'), 1)
    await bridge.metricReaches('state_write_total', 1)
    const again = await openRawStation(bridge.url, 'CP3')
    t.after(() => again.close())
    assert.equal(await again.call('start', 'StartTransaction', start), answer)
    await bridge.restart()
    assert.equal((await bridge.logged(/state_dir is open/))['stations'], 2)
  },
)

test('a bridge goes on without its state_dir when its file is damaged, and leaves it as it is', within, async t => {
  const dir = temporaryDirectory(t)
  const file = path.join(dir, 'ocpp-cable.db')
  writeFileSync(file, 'x'.repeat(10_000))
  const bridge = await opened(t, dir)
  assert.match(String((await bridge.logged(/state_dir cannot be used/))['error']), /its file is damaged/)
  assert.equal(readFileSync(file, 'utf8'), 'x'.repeat(10_000))
})

test('outbox reads the directory of a running bridge, and changes that of a stopped one only', within, async t => {
  const dir = temporaryDirectory(t)
  const bridge = await opened(t, dir)
  const outbox = (...words: readonly string[]) =>
    run(process.execPath, [program, 'outbox', ...words, `--state_dir=${dir}`, '--ignore-config-path'])
  const none = { code: 0, signal: null, stdout: '', stderr: '' }
  assert.deepEqual(await outbox('list'), none)
  const refused = await outbox('drop', 'all')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /another process uses it/)
  await bridge.kill('SIGTERM')
  assert.deepEqual(await outbox('drop', 'all'), { ...none, stdout: `0 messages of ${dir}\n` })
})

test('outbox export ends with 0, and without a word, when its reader leaves', within, async t => {
  const dir = temporaryDirectory(t)
  const store = await openSourceStore(dir)
  const outbox = outboxOf(store, Infinity)
  // More than a pipe holds.
  const padding = 'x'.repeat(1_000)
  await Promise.all(Array.from({ length: 500 }, (_, at) => outbox.append(outboxMessage(`${at}`, { padding }))))
  await store.close()
  const command = '"$0" "$1" outbox export "--state_dir=$2" --ignore-config-path | head -1; echo "${PIPESTATUS[0]}"'
  const { stdout, stderr } = await run('bash', ['-c', command, process.execPath, program, dir])
  assert.match(stdout, /^\{"seq":1,[^\n]*\n0\n$/)
  assert.equal(stderr, '')
})

test('a bridge that ends in order leaves its state_dir to the next one at once', within, async t => {
  const dir = temporaryDirectory(t)
  const bridge = await opened(t, dir)
  const station = await openRawStation(bridge.url, 'CP4')
  await station.call('1', 'BootNotification', boot)
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
  const next = await opened(t, dir)
  assert.equal((await next.logged(/state_dir is open/))['stations'], 1)
})
