/**
 * bin/demo as a newcomer runs it: the real bridge, the example app and the simulated station, as child processes.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'
import type { Transaction } from '../../examples/app/book.ts'
import { problemsOf, type Session } from '../../examples/app/demo/check.ts'
import { programEnv } from '../support/bridge.ts'
import { openProcess, run, type Process } from '../support/process.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const demo = join(root, 'bin/demo')
/** Between two lines: long enough for a test to act in between. */
const slow = '--pace=600'

type Part = { readonly pid: number; readonly port: number }
type Demo = { readonly process: Process; readonly mark: string }

function startDemo(
  context: TestContext,
  args: readonly string[] = [],
  more: Readonly<Record<string, string>> = {},
): Demo {
  const mark = randomUUID()
  // Options for another bridge in the shell's environment must not reach this one.
  const env = {
    DEMO_MARK: mark,
    PORT: '1',
    ANYCABLE_RPC_HOST: 'nowhere.invalid:1',
    ANYCABLE_SECRET: 'of another',
    ...more,
  }
  const process = openProcess(demo, args, { env })
  context.after(() => process.close())
  return { process, mark }
}

/** What the demo prints about its parts once they are up. */
async function partsOf({ process }: Demo): Promise<{ bridge: Part; app: Part }> {
  const part = async (name: string): Promise<Part> => {
    const line = await process.line(new RegExp(`^  ${name} .*\\(pid \\d+\\)`))
    const [, port, pid] = /127\.0\.0\.1:(\d+) \(pid (\d+)\)/.exec(line) ?? []
    return { port: Number(port), pid: Number(pid) }
  }
  return { bridge: await part('bridge'), app: await part('app') }
}

async function assertNothingIsLeft({ mark }: Demo, parts: readonly Part[]): Promise<void> {
  for (const { pid, port } of parts) {
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `process ${pid} is still there`)
    await assert.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' }, `port ${port} is open`)
  }
  // A part's own child (tsx starts a compiler) ends with its pipe, a moment later.
  for (let left = inheritors(mark); left.length > 0; left = inheritors(mark)) await sleep(10)
}

/** The processes with this run's mark in their environment; none where the system does not show environments. */
function inheritors(mark: string): string[] {
  try {
    return readdirSync('/proc').filter(pid => /^\d+$/.test(pid) && environmentOf(pid).includes(mark))
  } catch {
    return []
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

const stackLine = /^\s+at .*[(:]/m

const story = [
  /^One charging session/,
  /^ {2}station -> bridge +Hello, I am DEMO-1, and I speak OCPP 1\.6\. .*GET ws:/,
  /^ {2}bridge -> station .*101 Switching Protocols \(ocpp1\.6\)/,
  /^ {2}station -> app +I was switched on: .*\[2,"1","BootNotification"/,
  /^ {2}app +accepts DEMO-1 .*"connected"/,
  /^ {2}app .*"subscribed".*"ocpp:ev\/SN-0042"/,
  /^ {2}app -> station +Accepted\. .*\[3,"1",\{"status":"Accepted"/,
  /^ {2}station -> app +Connector 1 is Available/,
  /^ {2}bridge -> station +Noted\. \(The app left the answer to the bridge\.\) +\[3,"2",\{\}\]/,
  /^ {2}station -> app +A driver presents the card CARD-ALEX/,
  /^ {2}app -> station +Accepted\. +\[3,"3",\{"idTagInfo":\{"status":"Accepted"\}\}\]/,
  /^ {2}station -> app +Connector 1 starts for CARD-ALEX\. The meter reads 1482\.35 kWh/,
  /^ {2}app -> station +Accepted\. This is transaction 1\./,
  /^ {2}app -> station +Booked: 2\.74 kWh so far/,
  /^ {2}app -> station +Booked: 5\.50 kWh so far/,
  /^ {2}app -> station +Booked: 8\.24 kWh so far/,
  /^ {2}app -> station +Booked: 11\.0[01] kWh so far/,
  /^ {2}app +has booked 11\.0\d kWh for Alex.* POST http:/,
  /^ {2}app -> station +Please stop transaction 1\. +\[2,"stop-1","RemoteStopTransaction",\{"transactionId":1\}\]/,
  /^ {2}station -> app +Accepted\. +\[3,"stop-1",\{"status":"Accepted"\}\]/,
  /^ {2}station -> app +Transaction 1 has stopped \(Remote\)/,
  /^The receipt, from the app's book/,
  /^ {2}driver +Alex, CARD-ALEX/,
  /^ {2}energy +11\.02 kWh/,
  /^ {2}readings +4$/,
  /^ {2}station -> bridge +Good-bye\. +close 1000/,
  /^ {2}app +knows that DEMO-1 has left .*"disconnected"/,
  /^Checked: /,
  /^Nothing is left running\.$/,
]

test('the demo prints one session in order and leaves nothing behind', async context => {
  const started = startDemo(context)
  const { lines, exited } = started.process
  assert.deepEqual(await exited, { code: 0, signal: null }, lines.join('\n'))
  const rest = [...lines]
  for (const line of story) {
    const at = rest.findIndex(each => line.test(each))
    assert.notEqual(at, -1, `${line} is missing, or not in its place:\n${lines.join('\n')}`)
    rest.splice(0, at + 1)
  }
  await assertNothingIsLeft(started, Object.values(await partsOf(started)))
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`the demo shuts down in order when it receives ${signal}`, async context => {
    const started = startDemo(context, [slow])
    const parts = await partsOf(started)
    await started.process.line(/station -> bridge/)
    started.process.signal(signal)
    assert.deepEqual(await started.process.exited, { code, signal: null })
    assert.doesNotMatch(started.process.output, stackLine)
    assert.doesNotMatch(started.process.output, /Checked|bin\/demo:/)
    await assertNothingIsLeft(started, Object.values(parts))
  })
}

for (const part of ['app', 'bridge'] as const) {
  test(`the demo fails with an explanation when the ${part} is missing`, async context => {
    const started = startDemo(context, [slow])
    const parts = await partsOf(started)
    await started.process.line(/station -> bridge/)
    process.kill(parts[part].pid, 'SIGKILL')
    assert.deepEqual(await started.process.exited, { code: 1, signal: null })
    const said = new RegExp(`^bin/demo: the session failed\\. The ${part} exited unexpectedly \\(SIGKILL\\)$`, 'm')
    assert.match(started.process.output, said)
    assert.doesNotMatch(started.process.output, stackLine)
    assert.doesNotMatch(started.process.output, /Checked/)
    await assertNothingIsLeft(started, Object.values(parts))
  })
}

test('the demo keeps serving posted commands and other stations until Ctrl-C with --keep', async context => {
  const runtime = mkdtempSync(join(tmpdir(), 'demo-runtime-'))
  context.after(() => rmSync(runtime, { recursive: true }))
  const started = startDemo(context, ['--keep'], { XDG_RUNTIME_DIR: runtime })
  const shown = started.process
  await shown.line(/^From here on/)
  const parts = Object.values(await partsOf(started))
  const curls = shown.lines.flatMap(line => {
    const [, body, url] = /^ {2}curl -d '(.*)' (\S+)$/.exec(line) ?? []
    return body === undefined || url === undefined ? [] : [{ body, url }]
  })
  const [trigger, remoteStart] = curls
  assert.ok(trigger && remoteStart && curls.length === 2, shown.output)
  const post = async ({ body, url }: { body: string; url: string }): Promise<void> => {
    assert.equal((await fetch(url, { method: 'POST', body })).status, 201)
  }

  const [, health] = /curl (\S+\/health)/.exec(shown.output) ?? []
  assert.equal((await fetch(health ?? '')).status, 200)

  const [, command = ''] = /^ {2}node (bin\/ocpp-cable stations)$/m.exec(shown.output) ?? []
  const stations = await run(process.execPath, command.split(' '), {
    cwd: root,
    env: programEnv({ XDG_RUNTIME_DIR: runtime }),
  })
  assert.equal(stations.code, 0, stations.stderr)
  assert.match(stations.stdout, /^DEMO-1\taccepted\t1\.6\t/)

  const before = shown.lines.length
  await post(trigger)
  await shown.line(/app -> station +Please send me your StatusNotification/, before)
  await shown.line(/station -> app +Connector 1 is Available/, before)
  await post(remoteStart)
  await shown.line(/app -> station +Please start for the card CARD-ALEX/, before)
  await shown.line(/This is transaction 2/, before)
  await shown.line(/app -> station +Please stop transaction 2/, before)
  await shown.line(/station +the connector is free again/, before)

  const [, book] = /curl (\S+\/transactions)/.exec(shown.output) ?? []
  const transactions = (await (await fetch(book ?? '')).json()) as Transaction[]
  assert.deepEqual(
    transactions.map(({ id, stop }) => [id, stop?.reason]),
    [
      [1, 'Remote'],
      [2, 'Remote'],
    ],
  )

  const [, url] = /(ws:\S+)\/MY-STATION/.exec(shown.output) ?? []
  const other = new WebSocket(`${url ?? ''}/MY-STATION`, 'ocpp1.6')
  context.after(() => other.terminate())
  await once(other, 'open')
  other.send('[2,"1","Heartbeat",{}]')
  await once(other, 'message')
  await shown.line(/"connected","station":"MY-STATION"/, before)

  shown.signal('SIGINT')
  assert.deepEqual(await shown.exited, { code: 130, signal: null })
  assert.doesNotMatch(shown.output, stackLine)
  await assertNothingIsLeft(started, parts)
})

test('the demo refuses unknown options, and --help lists the known ones', async () => {
  const wrong = await run(demo, ['--fast'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.stderr, /^bin\/demo: .*--fast/)
  assert.match(wrong.stderr, /^Usage: bin\/demo/m)
  assert.equal((await run(demo, ['--pace=soon'])).code, 1)
  const help = await run(demo, ['--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /^Usage: bin\/demo/)
})

const machines = [
  {
    because: 'without Node it says to install it',
    tools: {},
    said: /^bin\/demo: Node is missing\. Install it/m,
  },
  {
    because: 'an old Node is named, with the one that is needed',
    tools: { node: 'echo v20.18.3' },
    said: /^bin\/demo: Node 20\.19 or newer is required, but this is Node 20\.18\.3\./m,
  },
  {
    because: 'without npm it says where that comes from',
    tools: { node: `exec '${process.execPath}' "$@"` },
    said: /^bin\/demo: npm is missing\./m,
  },
  {
    because: 'what npm says of its failure is shown, and what it takes',
    tools: { node: `exec '${process.execPath}' "$@"`, npm: 'echo "npm error network" >&2; exit 1' },
    said: /npm error network\nbin\/demo: npm ci failed, .*It needs network access/,
  },
  {
    because: 'a build that fails is no build',
    tools: {
      node: `exec '${process.execPath}' "$@"`,
      npm: 'test "$1" = ci && exit 0; mkdir -p dist; touch dist/main.js; echo "error TS1"; exit 2',
    },
    said: /error TS1\nbin\/demo: The build failed/,
  },
] as const
for (const { because, tools, said } of machines) {
  test(`the demo explains what the machine lacks: ${because}`, async context => {
    const { path, env } = cloneWith(tools, context)
    const { code, stdout, stderr } = await run(join(path, 'bin/demo'), [], { env })
    assert.equal(code, 1)
    assert.match(stdout + stderr, said)
    assert.ok(!existsSync(join(path, 'dist/main.js')))
  })
}

test('SIGINT ends the demo and npm while npm installs', async context => {
  const tools = { node: `exec '${process.execPath}' "$@"`, npm: 'echo npm is at work; exec sleep 600' }
  const { path, env } = cloneWith(tools, context)
  const mark = randomUUID()
  const started = openProcess(join(path, 'bin/demo'), [], { env: { ...env, DEMO_MARK: mark } })
  context.after(() => started.close())
  await started.line(/^npm is at work/)
  started.signal('SIGINT')
  assert.deepEqual(await started.exited, { code: 130, signal: null })
  assert.deepEqual(started.lines, ['Installing (npm ci) ...', 'npm is at work'])
  assert.deepEqual(inheritors(mark), [])
})

/** A clone with nothing installed, on a machine that has only these programs and the most common ones. */
function cloneWith(
  tools: Readonly<Record<string, string>>,
  context: TestContext,
): { path: string; env: { PATH: string } } {
  const path = mkdtempSync(join(tmpdir(), 'demo-'))
  context.after(() => rmSync(path, { recursive: true }))
  for (const folder of ['bin', 'src', 'tools']) mkdirSync(join(path, folder))
  for (const file of ['bin/demo', 'package.json', 'package-lock.json']) copyFileSync(join(root, file), join(path, file))
  writeFileSync(join(path, 'src/main.ts'), '')
  const env = { PATH: join(path, 'tools') }
  for (const tool of ['sh', 'dirname', 'sed', 'mkdir', 'touch', 'rm', 'sleep']) linkTool(tool, env.PATH)
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(env.PATH, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(env.PATH, name), 0o755)
  }
  return { path, env }
}

function linkTool(name: string, folder: string): void {
  const places = (process.env['PATH'] ?? '').split(delimiter).map(place => join(place, name))
  symlinkSync(places.find(existsSync) ?? name, join(folder, name))
}

const session: Session = {
  station: 'S1',
  idTag: 'C1',
  transactionId: 1,
  meterStartWh: 100,
  readingsWh: [110, 120],
  meterStopWh: 121,
}
const booked: Transaction = {
  id: 1,
  station: 'S1',
  idTag: 'C1',
  driver: 'D',
  startedAt: '2026-01-02T03:04:05Z',
  meterStartWh: 100,
  readings: [
    { timestamp: '2026-01-02T03:19:05Z', wh: 110 },
    { timestamp: '2026-01-02T03:34:05Z', wh: 120 },
  ],
  remoteStop: { id: 'stop-1', answer: 'Accepted' },
  stop: { at: '2026-01-02T03:35:05Z', meterWh: 121, reason: 'Remote' },
}
const [firstReading] = booked.readings
const books: readonly [book: readonly Transaction[], problem: RegExp | null, because: string][] = [
  [[booked], null, 'the very session'],
  [[], /has 0 transactions/, 'nothing was booked'],
  [[booked, booked], /has 2 transactions/, 'the start was booked twice'],
  [[{ ...booked, id: 2 }], /transaction id: 2, but the station sent 1/, 'another transaction'],
  [[{ ...booked, station: 'S2' }], /the station: S2/, 'another station'],
  [[{ ...booked, idTag: 'C2' }], /the card: C2/, 'another card'],
  [[{ ...booked, meterStartWh: 0 }], /meter at the start: 0/, 'another start'],
  [[{ ...booked, readings: firstReading ? [firstReading] : [] }], /meter values: 110, but/, 'a reading was lost'],
  [[{ ...booked, readings: [...booked.readings].reverse() }], /meter values: 120, 110/, 'readings out of order'],
  [[{ ...booked, stop: null }], /still open/, 'the stop was lost'],
  [[{ ...booked, stop: { at: '', meterWh: 1, reason: '' } }], /meter at the stop: 1, but/, 'another stop'],
  [[{ ...booked, remoteStop: null }], /remote stop is null, not "Accepted"/, 'no remote stop was sent'],
  [[{ ...booked, remoteStop: { id: '', answer: 'Rejected' } }], /is "Rejected", not/, 'the station refused'],
]
for (const [book, problem, because] of books) {
  test(`the check of the app's ledger: ${because}`, () => {
    const problems = problemsOf(book, session)
    assert.equal(problems.length, problem === null ? 0 : 1)
    if (problem !== null) assert.match(problems[0] ?? '', problem)
  })
}
