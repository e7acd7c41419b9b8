/**
 * The benchmarks do what they say in their quick form: every row is there with a number in it, and nothing is left
 * behind. What its stations send is what a station may send.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'
import { contentOf, type Answer } from '../bench/answer.ts'
import { calls } from '../bench/calls.ts'
import { inOpenLoop } from '../bench/open-loop.ts'
import { filled } from '../bench/page.ts'
import { plotSvg } from '../bench/plot.ts'
import { frameOf, idPlace, Station } from '../bench/station.ts'
import { jsonText } from '../src/ocpp/json.ts'
import { openSchemas } from '../src/validation/schemas.ts'

const rows = [
  ['bare `ws` echo', 'what a WebSocket costs without us'],
  ['`ocpp-rpc`, no validation', 'a peer'],
  ['`ocpp-rpc`, strict', 'the same, checking'],
  ['ocpp-cable, heartbeat', 'answered here'],
  ['ocpp-cable, app acks', 'to the app and back'],
] as const

const options = [
  ['MeterValues, app acks', ['off', 'validation warn', 'validation strict'], 'checking a call and its answer'],
  ['Heartbeat', ['off', 'validation warn', 'validation strict'], 'checking, with next to no other work beside it'],
  ['2 kB and 2 kB back, deflate offered', ['off', 'compression on'], 'the bridge inflates and deflates'],
  ['Heartbeat, deflate offered', ['off', 'compression on'], 'inflating, with next to no other work beside it'],
  ['StatusNotification, app acks', ['off', 'metrics', 'rpc_impl grpc-js'], 'what is beside the call'],
] as const

const memories = [
  ['bare `ws` echo', 'the floor'],
  ['`ocpp-rpc`, no validation', 'a peer'],
  ['ocpp-cable', 'as it is by default'],
] as const

const storms = [
  ['failed attempts to connect', /0/, 'nobody is refused'],
  ['upgrade, ms: median, p99, max', /\d+, \d+, \d+/, 'all have connected'],
  ['first answer to a boot, ms: median, p99, max', /\d+, \d+, \d+/, 'and were answered'],
  ['first boots: accepted, pending', /\d+, \d+/, 'by the app, or by the bridge'],
  ['boots with another answer or none', /0/, 'a boot has no CALLERROR'],
  ['accepted within [\\d.]+ s', /\d+ of \d+/, 'as many as the app could take'],
  ['stations that booted once, twice, …', /\d[\d, ]*/, 'they wait for as long as they are told'],
  ['memory of the bridge at its peak, MB \\(and before\\)', /\d+ \(\d+\)/, 'read from /proc'],
  ['heartbeat', /\d+ +\| \d+ +\| [\d.]+ x +\| \d+ +\| \d+/, 'what those see that are connected'],
  ['status', /\d+ +\| \d+ +\| [\d.]+ x +\| \d+ +\| \d+/, 'where the app is asked'],
  ['sent while it was away: answered, with a CALLERROR', /\d+, \d+/, 'the app was killed'],
  ['sent later: answered by the app, with a CALLERROR', /[1-9]\d*, \d+/, 'it was started again'],
  ['slowest call sent later, s', /\d+\.\d/, 'a time'],
  ['stations whose next call the app answered', /\d+ of \d+/, 'each calls again'],
  ['Connects at the restarted app', /0/, 'the sessions outlive it'],
  ['2.5–3.0', /\d+(, \d+){4}/, 'what came to it'],
] as const

/** Runs a benchmark in its quick form to its end; settles with what it prints, by tables. */
async function printedBy(script: string): Promise<string[]> {
  const marker = `OCPP_CABLE_BENCH_TEST=${process.pid}-${Date.now()}`
  const [name = '', value = ''] = marker.split('=')
  const path = fileURLToPath(new URL(`../bench/${script}`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, '--quick'], {
    env: { ...process.env, [name]: value },
  })
  const exit = once(child, 'exit') as Promise<[number | null]>
  const [printed, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit])
  assert.equal(code, 0, complaints)
  assert.match(printed, /^\d+ cores, Node\.js v\d/)
  // What tsx compiles with ends a moment after its parent.
  for (let tries = 0; processesWith(marker).length > 0; tries++) {
    assert.ok(tries < 40, `still running: ${processesWith(marker).join(', ')}`)
    await setTimeout(50)
  }
  return printed.trimEnd().split('\n\n').slice(1)
}

const withinLinux = { timeout: 300_000, skip: process.platform !== 'linux' }

test('bench --quick prints the machine and five tables, and leaves no process behind', withinLinux, async () => {
  const [speed = '', halfLoad = '', broadcast = '', memory = '', cost = '', ...others] = await printedBy('run.ts')
  assert.deepEqual(others, [])
  for (const [row, because] of rows) {
    const cells = speed.split('\n').filter(line => line.includes(`| ${row} `))
    assert.equal(cells.length, 2, `${row} (${because}) stands once for each number of stations:\n${speed}`)
    for (const line of cells)
      assert.match(line, /^\|[^|]+\|[^|]+\| [\d.,]+ +\| [\d.,]+ +\| [\d.]+ x +\|/, 'calls/s, CPU')
  }
  for (const table of [halfLoad, broadcast])
    assert.match(table, /^\| ocpp-cable +\| [\d.,]+ +\| +\| [\d.,]+ +\|/m, 'median and p99')
  for (const [row, because] of memories) {
    const lines = memory.split('\n').filter(line => line.includes(`| ${row} `))
    assert.equal(lines.length, 1, `${row} (${because}):\n${memory}`)
    for (const line of lines)
      assert.match(line, /^\|[^|]+\|[^|]+\| -?[\d.,]+ +\| -?[\d.]+ x +\| -?[\d.,]+ /, 'kept, and grown')
  }
  for (const [call, names, because] of options) {
    const lines = cost.split('\n').filter(line => line.startsWith(`| ${call} `))
    assert.equal(lines.length, names.length, `${call} (${because}) stands once for each option:\n${cost}`)
    for (const [at, name] of names.entries()) {
      const cells = (lines[at] ?? '').split('|').map(cell => cell.trim())
      assert.equal(cells[2], name, call)
      assert.match(cells.slice(3).join(' '), /^[\d.,]+ [\d.,]+ [\d.]+ x /, 'calls/s, CPU, CPU to off')
    }
  }
})

const answer = (name: string): Answer => ({
  name,
  table: `| the table of ${name} |`,
  plot: { title: `Of ${name}`, groups: ['one', 'two'], series: [{ name: 'bridge', values: [1, null] }] },
})

test('a run fills its places in the page, and nothing else', () => {
  const place = (name: string): string => `<!-- bench: ${name} -->\n\nold\n\n<!-- end of ${name} -->\n`
  const page = `before\n${place('machine')}between\n${place('speed')}after\n`
  const speed = contentOf(answer('speed'))
  const after = filled(filled(page, 'machine', '2 cores'), 'speed', speed)
  assert.equal(after, filled(after, 'speed', speed), 'a second time')
  assert.doesNotMatch(after, /old/)
  assert.match(after, /^before\n(?:.*\n){2}2 cores\n\n.*\nbetween\n(?:.*\n){2}!\[Of speed\]\(plots\/speed\.svg\)\n/)
  assert.match(after, /\n\n\| the table of speed \|\n\n<!-- end of speed -->\nafter\n$/)
  assert.throws(() => filled(page, 'memory', ''), /no place for memory/)
})

test('the pages have a place for each question, with its plot, for the machine and for the attacks', () => {
  const docs = new URL('../docs/', import.meta.url)
  assert.doesNotThrow(() => filled(readFileSync(new URL('security.md', docs), 'utf8'), 'attack', ''))
  const page = readFileSync(new URL('benchmarks.md', docs), 'utf8')
  assert.doesNotThrow(() => filled(page, 'machine', ''))
  for (const name of ['speed', 'half-load', 'broadcast', 'memory', 'options']) {
    assert.ok(page.includes(`](plots/${name}.svg)`), `${name} is shown`)
    assert.doesNotThrow(() => filled(page, name, ''))
    assert.match(readFileSync(new URL(`plots/${name}.svg`, docs), 'utf8'), /^<svg /)
  }
})

test('a plot has a label, its groups, and a bar for each value', () => {
  const svg = plotSvg(answer('speed').plot)
  assert.match(svg, /^<svg [^>]*role="img" aria-label="Of speed">/)
  assert.match(svg, /prefers-color-scheme: dark/)
  assert.match(svg, />one<(?:.|\n)*>two</)
  assert.equal(svg.match(/fill="#0969da"/g)?.length, 1)
})

test('work at a rate is timed from when it was due, not from when the work before it let it begin', async () => {
  let now = 0
  const clock = {
    now: () => now,
    sleep: (ms: number): Promise<void> => {
      now += ms
      return Promise.resolve()
    },
  }
  const lengths = [25, 1, 1, 1]
  const work = (): Promise<void> => clock.sleep(lengths.shift() ?? 1)
  const times = await inOpenLoop(['a'], { perSecond: 100, warmUpMs: 0, ms: 50 }, work, clock)
  // Due at 0, 10, 20, 30 and 40; done at 25, 26, 27, 31 and 41.
  assert.deepEqual(times, [25, 16, 7, 1, 1])
})

test('bench:storm --quick prints the machine and five tables, and leaves no process behind', withinLinux, async () => {
  const tables = await printedBy('storm.ts')
  assert.equal(tables.length, 5, tables.join('\n\n'))
  const lines = tables.join('\n')
  for (const [row, says, because] of storms) {
    const line = new RegExp(`^\\| ${row} +\\| ${says.source} +\\|$`, 'm')
    assert.match(lines, line, `${because}:\n${lines}`)
  }
})

test('bench:store --quick prints the machine and three tables, and leaves nothing behind', withinLinux, async () => {
  const tables = await printedBy('store.ts')
  assert.equal(tables.length, 3, tables.join('\n\n'))
  assert.match(tables[1] ?? '', /^\| with `state_dir` +\| [\d,.]+ +\| [\d.,]+ +\| [\d.]+ x +\|$/m)
  assert.match(tables[2] ?? '', /^\| 200 messages +\| [\d,.]+ +\| [\d.,]+ +\| [\d.]+ x +\|$/m)
  const lines = (tables[0] ?? '').split('\n').slice(2)
  assert.deepEqual(
    lines.map(line => line.split('|')[2]?.trim()),
    ['1', '1', '10', '100', '1000'],
  )
  for (const line of lines) assert.match(line, /\| [\d.,]+ +\| [\d.]+ x +\| [\d.,]+ +\|$/)
})

test('bench:admin --quick prints the machine and one table, and leaves no process behind', withinLinux, async () => {
  const [table = '', ...others] = await printedBy('admin.ts')
  assert.deepEqual(others, [])
  assert.match(table, /^\| not used +\| [\d,.]+ +\| [\d.,]+ +\| [\d.,]+ +\| 1\.00 x +\|$/m)
  assert.match(table, /^\| 20 streams that are not read[^|]+\| [\d,.]+ +\| [\d.,]+ +\| [\d.,]+ +\| [\d.]+ x +\|$/m)
})

test('bench:tls --quick prints the machine and one table, and leaves no process behind', withinLinux, async () => {
  const [table = '', ...others] = await printedBy('handshakes.ts')
  assert.deepEqual(others, [])
  for (const kind of ['session resumed', 'client certificate'])
    for (const type of ['RSA', 'ECDSA'])
      assert.match(table, new RegExp(`^\\| ${kind}, ${type} +\\| \\d+ +\\| [\\d.]+ x +\\|$`, 'm'))
})

test('the payloads of the stations are valid by their schemas', () => {
  const schemas = openSchemas()
  for (const [name, { action, payload }] of Object.entries(calls))
    assert.deepEqual(schemas.violations('ocpp1.6', action, 'request', jsonText(payload('station'))), [], name)
})

test('one call is below the threshold of compression, one above', () => {
  const bytes = (name: keyof typeof calls): number => JSON.stringify(calls[name].payload('station')).length
  assert.ok(bytes('meterValues') < 1024 && bytes('longData') > 1024)
})

test('a station compresses its messages and reads compressed ones', async t => {
  const server = new WebSocketServer({ port: 0, perMessageDeflate: { serverNoContextTakeover: true, threshold: 1024 } })
  const received: string[] = []
  const written: number[] = []
  server.on('connection', (socket, request) => {
    const before = request.socket.bytesWritten
    socket.on('message', (data: Buffer) => {
      received.push(data.toString())
      socket.send(data.toString(), () => written.push(request.socket.bytesWritten - before))
    })
  })
  await once(server, 'listening')
  const station = await Station.open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, 'ocpp1.6', true)
  t.after(() => {
    station.close()
    server.close()
  })
  assert.ok(station.isCompressing, 'agreed on')
  const long = JSON.stringify([2, idPlace, 'DataTransfer', calls.longData.payload('station')])
  const frame = frameOf(long, true)
  assert.ok(frame.bytes.length < long.length / 2, 'the frame is shorter than the text')
  await station.call(frame)
  await station.call(frame)
  const withId = (id: number): string => long.replace(idPlace, idPlace.slice(0, -1) + String(id))
  assert.deepEqual(received, [withId(1), withId(2)], 'each call has an id of its own')
  assert.ok((written[0] ?? long.length) < long.length / 2, 'the answer came compressed')
})

/** Those that inherited an environment variable. */
function processesWith(marker: string): string[] {
  return readdirSync('/proc')
    .filter(pid => /^\d+$/.test(pid))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(marker)
      } catch {
        return false
      }
    })
}
