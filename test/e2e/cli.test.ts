/**
 * The commands of the built program against the real bridge with stations on real sockets.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { connectTo, openAdminBridge } from '../support/admin-bridge.ts'
import type { ScriptedApp } from '../support/app.ts'
import { openBridge, program, programEnv, type Bridge } from '../support/bridge.ts'
import { cliWith, type Cli } from '../support/cli.ts'
import { keepUntil } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { run } from '../support/process.ts'
import type { RawStation } from '../support/station.ts'
import { temporaryDirectory } from '../support/store.ts'
import { openMute } from '../support/tcp.ts'

const keep = keepUntil(after)
const within = { timeout: 120_000 }
const runtime = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-run-'))
const env = { XDG_RUNTIME_DIR: runtime }

let app: ScriptedApp
let bridge: Bridge
let cli: Cli
let stateDir: string
let adminUrl: string

before(async () => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-state-'))
  const flags = ['--ocpp_call_timeout=5s', `--state_dir=${stateDir}`]
  ;({ app, bridge, adminUrl } = await openAdminBridge(keep, flags, () => null, env))
  cli = cliWith(env)
})
after(() => {
  for (const dir of [runtime, stateDir]) rmSync(dir, { recursive: true, force: true })
})

const connect = (t: TestContext, id: string): Promise<RawStation> => connectTo(bridge, t, id)

/** Answers the next command. */
async function answer(station: RawStation, action: string, answerTo: (id: string) => string): Promise<void> {
  const frame = await station.message(new RegExp(`^\\[2,"[^"]+","${action}"`))
  station.send(answerTo((JSON.parse(frame) as [number, string])[1]))
}

test('stations prints tabs in a pipe, a table on a terminal, and JSON', within, async t => {
  await connect(t, 'LIST-1')
  await connect(t, 'LIST-2')
  const { code, stdout, stderr } = await cli.run('stations', 'LIST-*')
  assert.deepEqual([code, stderr], [0, ''])
  const rows = stdout.trim().split('\n').map(line => line.split('\t')) // prettier-ignore
  assert.deepEqual(rows.map(([id, state, version, address]) => [id, state, version, address]), [
    ['LIST-1', 'accepted', '1.6', '127.0.0.1'],
    ['LIST-2', 'accepted', '1.6', '127.0.0.1'],
  ]) // prettier-ignore
  const screen = await cli.onTerminal(['stations', 'LIST-*'])
  assert.equal(screen.code, 0)
  assert.match(screen.text, /^ID +STATE +OCPP +ADDRESS +SINCE +LAST MESSAGE +SN +LEFT BECAUSE\r\n/)
  assert.match(screen.text, /\r\nLIST-1 +accepted +1\.6 +127\.0\.0\.1 +\d+s +\d+s +SN-LIST-1\r\n/)
  const json = await cli.run('stations', 'LIST-1', '--json', '--state=connected')
  assert.equal((JSON.parse(json.stdout) as { readonly sn: string }).sn, 'SN-LIST-1')
})

test('stations --watch ends with 130 at Ctrl-C, and gives the screen back', within, async t => {
  await connect(t, 'WATCH')
  const { code, text } = await cli.onTerminal(['stations', '--watch', 'WATCH'], /1 of 1 stations/)
  assert.equal(code, 130)
  assert.ok(text.startsWith('\u001b[?1049h\u001b[?25l\u001b[H'))
  assert.ok(text.endsWith('\u001b[?25h\u001b[?1049l'), JSON.stringify(text.slice(-40)))
})

test('station shows the last CALLERRORs first', within, async t => {
  const station = await connect(t, 'WHY')
  station.send('[2,"odd","FluxCapacitor",{}]')
  await station.message(/^\[4,"odd"/)
  const { code, stdout } = await cli.run('station', 'WHY')
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^WHY {2}accepted {2}OCPP 1\.6\n\nLast errors\n {2}\d+s ago +FluxCapacitor got CALLERROR NotImplemented/,
  )
  assert.match(stdout, /\n {2}sn +SN-WHY\n/)
  const unknown = await cli.run('station', 'NOBODY')
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [1, 'the bridge does not know this station: see ocpp-cable stations\n'],
  )
})

test('tail prints a CALL and its answer on adjacent lines until Ctrl-C, coloured on a terminal', within, async t => {
  const station = await connect(t, 'TAIL')
  const other = await connect(t, 'OTHER')
  // The first frame may pass before the stream is open.
  const calls = setInterval(() => {
    station.send('[2,"hb","Heartbeat",{}]')
    other.send('[2,"hb","Heartbeat",{}]')
    station.send('[2,"card","Authorize",{"idTag":"TAG-OF-TAIL"}]')
    station.send('[2,"odd","FluxCapacitor",{"x":"\\u001b[2J"}]')
  }, 50)
  t.after(() => clearInterval(calls))
  const tail = cli.open('tail', 'TA*')
  t.after(() => tail.close())
  await tail.line(/← FluxCapacitor/)
  const lines = [...tail.lines]
  tail.signal('SIGINT')
  assert.equal((await tail.exited).signal, 'SIGINT')
  assert.ok(lines.every(line => line.includes(' TAIL ')))
  const at = lines.findIndex(line => line.includes('← Heartbeat'))
  assert.match(lines[at - 1] ?? '', /^[\d:.]{12} TAIL → Heartbeat \[2,"hb","Heartbeat",\{\}\]$/)
  assert.match(lines[at] ?? '', /^[\d:.]{12} TAIL ← Heartbeat [\d.]+ ms \[3,"hb",\{"currentTime":/)
  const errors = await cli.onTerminal(['tail', 'TAIL', '--errors'], /← Authorize[^]*← FluxCapacitor/)
  assert.equal(errors.code, 130)
  const [cyan, red] = ['\u001b[36m', '\u001b[31m']
  const found = errors.text.split('\r\n').filter(line => line.includes('FluxCapacitor'))
  assert.ok(found[0]?.includes(`→ FluxCapacitor ${cyan}[2,"odd"`), errors.text)
  assert.ok(found[1]?.includes('← FluxCapacitor '), errors.text)
  assert.ok(found[1]?.includes(`${red}[4,"odd","NotImplemented"`), errors.text)
  const refusal = errors.text.split('\r\n').find(line => line.includes('← Authorize'))
  assert.ok(refusal?.includes(`${red}[3,"card",{"idTagInfo":`), errors.text)
  assert.ok(!errors.text.includes('Heartbeat'))
  const json = cli.open('tail', '--json', '--action=Heartbeat', 'OTHER')
  t.after(() => json.close())
  const event = JSON.parse(await json.line(/"callResult"/)) as Readonly<Record<string, unknown>>
  assert.deepEqual([event['station'], event['action'], event['direction']], ['OTHER', 'Heartbeat', 'sent'])
})

test('call prints the answer, and has an exit code for each way in which it may end', within, async t => {
  const station = await connect(t, 'CALL')
  const reset = ['call', 'CALL', 'Reset', '{"type":"Soft"}'] as const
  const [ok] = await Promise.all([
    cli.run(...reset),
    answer(station, 'Reset', id => `[3,"${id}",{"status": "Accepted"}]`),
  ])
  assert.deepEqual([ok.code, ok.stdout, ok.stderr], [0, '{"status": "Accepted"}\n', ''])
  const [error] = await Promise.all([
    cli.run('call', 'CALL', 'ClearCache'),
    answer(station, 'ClearCache', id => `[4,"${id}","NotSupported","no \\u001b[2J",{"a":1}]`),
  ])
  assert.deepEqual([error.code, error.stdout, error.stderr], [3, '', 'CALLERROR NotSupported: no \\u001b[2J {"a":1}\n'])
  const [changed] = await Promise.all([
    cli.run('call', 'CALL', 'ChangeConfiguration', '{"key":"AuthorizationKey","value":"key-of-the-station-1"}'),
    answer(station, 'ChangeConfiguration', id => `[3,"${id}",{"status":"Rejected"}]`),
  ])
  assert.equal(changed.stdout, '{"status":"Rejected"}\n')
  const late = await cli.run('call', 'CALL', 'GetDiagnostics', '{"location":"ftp://x"}', '--timeout=1s')
  assert.equal(late.code, 4, late.stderr)
  const away = await cli.run('call', 'NOBODY', 'Reset', '{"type":"Soft"}')
  assert.equal(away.code, 5, away.stderr)
  const invalid = await cli.run('call', 'CALL', 'Reset', '{"type":"Warm"}')
  assert.equal(invalid.code, 6)
  assert.match(invalid.stderr, /\/type/)
  const usage = await cli.run('call', 'CALL')
  assert.equal(usage.code, 2)
  const unreachable = await cli.run(...reset, `--admin_url=http://127.0.0.1:${await freePort()}`)
  assert.equal(unreachable.code, 1)
  assert.match(unreachable.stderr, /nothing listens there: start the bridge with --admin_port=8091/)
})

test('call keeps its exit code when nothing reads what it prints', within, async () => {
  const line = `${process.execPath} ${program} call NOBODY ClearCache`
  const options = { env: programEnv({ ...env, PATH: process.env['PATH'] }) }
  const shell = (text: string) => run('bash', ['-c', text], options)
  for (const outputs of ['2>&3 >/dev/null', '--json >&3 2>&3', '--json >/dev/full'])
    assert.equal((await shell(`exec 3> >(true); wait $!; ${line} ${outputs}`)).code, 5, outputs)
  const full = await shell(`${process.execPath} ${program} completion bash >/dev/full`)
  assert.equal(full.code, 1)
  assert.match(full.stderr, /^the output cannot be written: ENOSPC[^\n]*\n$/)
})

test('call ends with 5 when the station leaves before its answer, or has left', within, async t => {
  const station = await connect(t, 'LEAVES')
  const [code] = await Promise.all([
    cli.run('call', 'LEAVES', 'ClearCache').then(result => result.code),
    station.message(/"ClearCache"/).then(() => station.close()),
  ])
  assert.equal(code, 5)
  assert.equal((await cli.run('call', 'LEAVES', 'ClearCache')).code, 5)
})

test('disconnect closes the connection with the reason', within, async t => {
  const station = await connect(t, 'CLOSE')
  const { code, stdout } = await cli.run('disconnect', 'CLOSE', '--reason=new certificate')
  assert.deepEqual([code, stdout], [0, 'closed the connection of CLOSE with 1000: new certificate\n'])
  assert.deepEqual(await station.closed, { code: 1000, reason: 'new certificate' })
  assert.equal((await cli.run('disconnect', 'CLOSE')).code, 1)
})

test('log shows the frames of one station in the log of the bridge', within, async t => {
  const station = await connect(t, 'LOG')
  const { code, stdout } = await cli.run('log', 'LOG', 'debug', '--for', '10m')
  assert.equal(code, 0)
  assert.match(stdout, /^the bridge logs the frames of LOG until \d\d:\d\d:\d\d\.\d{3}\n$/)
  await station.call('logged', 'Heartbeat')
  const line = await bridge.logged(/\[2,\\"logged\\",\\"Heartbeat\\"/)
  assert.equal(line['station'], 'LOG')
})

test('outbox asks the bridge that runs, and reads the directory of one that does not', within, async t => {
  const list = await cli.run('outbox', 'list', '--ignore-config-path')
  assert.deepEqual([list.code, list.stdout, list.stderr], [0, '', ''])
  const drop = await cli.run('outbox', 'drop', 'all', '--ignore-config-path', `--state_dir=${stateDir}`)
  assert.deepEqual([drop.code, drop.stdout], [0, `0 messages of ${adminUrl}\n`])
  const elsewhere = { ...env, ANYCABLE_ADMIN_URL: `http://127.0.0.1:${await freePort()}` }
  const meant = await cliWith(elsewhere).run('outbox', 'drop', 'all', '--ignore-config-path', `--state_dir=${stateDir}`)
  assert.deepEqual([meant.code, meant.stdout], [0, `0 messages of ${adminUrl}\n`], meant.stderr)
  const dir = temporaryDirectory(t)
  const alone = await cliWith({ XDG_RUNTIME_DIR: dir }).run(
    'outbox',
    'list',
    '--ignore-config-path',
    `--state_dir=${dir}`,
  )
  assert.deepEqual([alone.code, alone.stderr], [1, `state_dir ${dir}: no bridge has used it yet\n`])
})

test('a bridge is found by its state_dir, too, and says what is wrong with the token', within, async t => {
  const dir = temporaryDirectory(t)
  const own = { XDG_RUNTIME_DIR: temporaryDirectory(t) }
  const tokens = ['--admin_token=full', '--admin_read_token=reader']
  const guarded = keepUntil(end => t.after(end))(
    await openBridge(
      [`--rpc_host=${app.host}`, `--admin_port=${await freePort()}`, `--state_dir=${dir}`, ...tokens],
      own,
    ),
  )
  const elsewhere = { XDG_RUNTIME_DIR: temporaryDirectory(t), ANYCABLE_STATE_DIR: dir }
  const without = await cliWith(elsewhere).run('stations')
  assert.equal(without.code, 1)
  assert.match(without.stderr, /a token is needed: set --admin_token or ANYCABLE_ADMIN_TOKEN/)
  assert.equal((await cliWith({ ...elsewhere, ANYCABLE_ADMIN_TOKEN: 'reader' }).run('stations')).code, 0)
  const reader = await cliWith(elsewhere).run('log', '*', 'debug', '--admin_token=reader')
  assert.match(reader.stderr, /admin_read_token may only read/)
  await guarded.kill('SIGTERM')
  const ended = await cliWith(elsewhere).run('stations')
  assert.match(ended.stderr, /^no bridge found in /)
  assert.deepEqual(readdirSync(dir).filter(file => file.endsWith('.json')), []) // prettier-ignore
})

test('a bridge that was killed leaves a file that is ignored with a line', within, async t => {
  const own = { XDG_RUNTIME_DIR: temporaryDirectory(t) }
  const killed = keepUntil(end => t.after(end))(await openBridge([`--rpc_host=${app.host}`], own))
  const off = await cliWith(own).run('stations')
  assert.match(
    off.stderr,
    /^the admin API of the bridge \(pid \d+\) is off: start the bridge with --admin_port=8091\n$/,
  )
  await killed.kill('SIGKILL')
  const { code, stderr } = await cliWith(own).run('stations')
  assert.equal(code, 1)
  assert.match(stderr, /^\S+\/bridge-\d+\.json is ignored: that bridge does not run any more\nno bridge found in /)
})

test('check and validate need no bridge, and what a running one uses is no fault', within, async t => {
  const flags = ['--host=127.0.0.1', `--port=${await freePort()}`, `--http_broadcast_port=${await freePort()}`]
  const check = await cli.run('check', '--station=CHECK', '--ignore-config-path', `--rpc_host=${app.host}`, ...flags)
  assert.equal(check.code, 0, check.stdout)
  assert.match(check.stdout, /^ok {4}rpc +\S+: the app accepted CHECK, and saw it leave$/m)
  const taken = ['check', '--ignore-config-path', `--rpc_host=${app.host}`, '--host=127.0.0.1', `--port=${bridge.port}`]
  const stranger = await cliWith({ XDG_RUNTIME_DIR: temporaryDirectory(t) }).run(...taken)
  assert.equal(stranger.code, 1)
  assert.match(stranger.stdout, /^fail {2}port +127\.0\.0\.1:\d+: another program listens there; fix: /m)
  const beside = await cli.run(...taken, `--state_dir=${stateDir}`)
  assert.match(beside.stdout, /^skip {2}port +127\.0\.0\.1:\d+ is in use by the bridge that runs, pid \d+$/m)
  assert.match(beside.stdout, /^skip {2}state_dir +\S+ is in use by the bridge that runs, pid \d+$/m)
  const { host: foreign } = await openMute(t)
  const ports = [`--http_broadcast_port=${foreign.split(':')[1]}`, `--admin_port=${new URL(adminUrl).port}`]
  const mixed = await cli.run(...taken, `--state_dir=${stateDir}`, ...ports)
  assert.equal(mixed.code, 1)
  assert.match(mixed.stdout, /^skip {2}admin_port +\S+ is in use by the bridge that runs, pid \d+$/m)
  assert.match(mixed.stdout, /^fail {2}http_broadcast_port +\S+: another program listens there; fix: /m)
  const { code, stdout } = await cli.run('validate', '1.6', 'Reset', 'request', '/dev/null')
  assert.deepEqual([code, stdout], [1, 'invalid: Reset request of OCPP 1.6\npayload\tjson\tis not JSON\n'])
})

test('completion and help come from the same program', within, async () => {
  assert.match((await cli.run('completion', 'bash')).stdout, /complete -o default -F _ocpp_cable ocpp-cable\n$/)
  assert.match((await cli.run('--help')).stdout, /\nCommands\n {2}check /)
  assert.match((await cli.run('tail', '--help')).stdout, /^Usage: ocpp-cable tail \[GLOB\]/)
  const { code, stderr } = await cli.run('statoins')
  assert.deepEqual([code, stderr], [2, '"statoins": unknown command; did you mean stations?\nSee ocpp-cable --help.\n'])
})
