/**
 * The built program with a `state_dir`: what it remembers when it is killed and started again, and that it goes on
 * where the directory cannot be used.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readDatabase } from '../../src/store/database.ts'
import { outboxOf } from '../../src/store/outbox.ts'
import { outboxMessage } from '../store/messages.ts'
import type { AdminClient } from '../support/admin.ts'
import { connectTo, openAdminBridge } from '../support/admin-bridge.ts'
import { ScriptedApp } from '../support/app.ts'
import { cliWith } from '../support/cli.ts'
import { commandBroadcast, openBridge, program, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
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

async function opened(t: TestContext, dir: string, flags: readonly string[] = []): Promise<Bridge> {
  const bridge = await openBridge([`--rpc_host=${app.host}`, `--state_dir=${dir}`, ...flags])
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
  'stations are listed as disconnected by the next bridge when the last one ended, or was killed',
  within,
  async t => {
    const dir = temporaryDirectory(t)
    const keep = keepUntil(close => t.after(close))
    const { bridge, admin } = await openAdminBridge(keep, [`--state_dir=${dir}`])
    const left = await connectTo(bridge, t, 'LEFT')
    await left.close()
    await connectTo(bridge, t, 'HERE')
    assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
    await bridge.restart()
    const ended = ['disconnected', '1.6', '127.0.0.1', 'SN-HERE', 1001, 'Server restart']
    assert.deepEqual(await departureOf(admin, 'HERE'), ended)
    const { body: first } = await admin.get('/v1/stations/LEFT')
    await assert.rejects(openRawStation(bridge.url, 'LEFT', { version: 'ocpp0.9' }))
    await connectTo(bridge, t, 'HERE')
    await kept(dir, "station = 'HERE' AND ended IS NULL")
    await kept(dir, `station = 'LEFT' AND about NOT LIKE '%"refusal":null%'`)
    const killedAt = Date.now()
    await bridge.restart()
    const killed = [...ended.slice(0, 4), 1006, 'The bridge ended without a shutdown']
    assert.deepEqual(await departureOf(admin, 'HERE'), killed)
    const { body: here } = await admin.get('/v1/stations/HERE')
    assert.ok(Date.parse(String(here['leftAt'])) <= killedAt)
    const { body: again } = await admin.get('/v1/stations/LEFT')
    assert.deepEqual([again['state'], again['leftBecause']], ['disconnected', first['leftBecause']])
    assertSameTime(again['leftAt'], first['leftAt'])
    assert.deepEqual([first['lastRefusal'], (again['lastRefusal'] as { status: number }).status], [null, 400])
    const { body: page } = await admin.get('/v1/stations?state=disconnected')
    assert.deepEqual((page['stations'] as { id: string }[]).map(({ id }) => id), ['HERE', 'LEFT']) // prettier-ignore
    // Killed a second time, with nobody connected: the time of the first death stays.
    await bridge.restart()
    assertSameTime((await admin.get('/v1/stations/HERE')).body['leftAt'], here['leftAt'])
  },
)

async function departureOf(admin: AdminClient, id: string): Promise<readonly unknown[]> {
  const { body } = await admin.get(`/v1/stations/${id}`)
  const { code, reason } = body['lastEnd'] as { readonly code: number; readonly reason: string }
  assert.equal(body['leftBecause'], reason)
  return [body['state'], body['version'], body['address'], body['sn'], code, reason]
}

/** To the rounding between the two clocks of each process. */
function assertSameTime(one: unknown, other: unknown): void {
  assert.ok(Math.abs(Date.parse(String(one)) - Date.parse(String(other))) <= 5, `${String(one)}, ${String(other)}`)
}

/** Resolves when a station fits on the disk: these rows are written some time after the event. */
async function kept(dir: string, condition: string): Promise<void> {
  const database = readDatabase(dir)
  try {
    const found = database.prepare(`SELECT 1 FROM last_seen WHERE ${condition}`)
    while (found.get() === undefined) await sleep(20)
  } finally {
    database.close()
  }
}

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

test(
  'a station that connects with a lower security profile while its state_dir is in use is closed when it is opened, and refused from then on',
  within,
  async t => {
    const dir = temporaryDirectory(t)
    const old = await opened(t, dir, ['--ocpp_profile=1'])
    const secured = await openRawStation(old.url, 'CP6', { headers: { authorization: 'Basic Q1A2OnNlc2FtZQ==' } })
    assert.match(await secured.call('1', 'BootNotification', boot), /Accepted/)
    await old.metricReaches('state_write_total', 2)
    const bridge = await opened(t, dir)
    await bridge.logged(/state_dir is in use by another process/)
    const plain = await openRawStation(bridge.url, 'CP6')
    assert.match(await plain.call('1', 'BootNotification', boot.replace('SN-1', 'SN-6')), /Accepted/)
    assert.deepEqual(await old.kill('SIGTERM'), { code: 0, signal: null })
    const reason = 'The Charging Station has used security profile 1 before'
    assert.deepEqual(await plain.closed, { code: 1008, reason })
    await assert.rejects(openRawStation(bridge.url, 'CP6'), /401/)
    await bridge.kill('SIGTERM')
    const next = await opened(t, dir)
    await assert.rejects(openRawStation(next.url, 'CP6'), /401/)
    assert.equal((await next.logged(/a station was refused/))['problem'], reason)
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
    cliWith({}).run('outbox', ...words, `--state_dir=${dir}`, '--ignore-config-path')
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
  assert.match(stdout, /^\{"number":1,[^\n]*\n0\n$/)
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
