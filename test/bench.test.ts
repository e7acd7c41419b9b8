/**
 * The benchmark does what it says in its quick form: every row is there with a number in it, and nothing is left behind.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const run = fileURLToPath(new URL('../bench/run.ts', import.meta.url))

const rows = [
  ['gRPC call alone', 'what the hop to the app costs without us'],
  ['bare `ws` echo', 'what a WebSocket costs without us'],
  ['`ocpp-rpc`, no validation', 'a peer'],
  ['`ocpp-rpc`, strict', 'the same, checking'],
  ['ocpp-cable, heartbeat', 'answered here'],
  ['ocpp-cable, app is silent', 'to the app, answered here'],
  ['ocpp-cable, app acks', 'to the app and back'],
] as const

test(
  'bench --quick prints the machine and two tables, and ends with all that it started',
  { timeout: 120_000, skip: process.platform !== 'linux' },
  async () => {
    const marker = `OCPP_CABLE_BENCH_TEST=${process.pid}-${Date.now()}`
    const [name = '', value = ''] = marker.split('=')
    const child = spawn(process.execPath, ['--import', 'tsx', run, '--quick'], {
      env: { ...process.env, [name]: value },
    })
    const exit = once(child, 'exit') as Promise<[number | null]>
    const [printed, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit])

    assert.equal(code, 0, complaints)
    assert.match(printed, /^\d+ cores, Node\.js v\d/)
    const [speed = '', memory = ''] = printed.split('\n\n').slice(1)
    for (const [row, because] of rows) {
      const cells = speed.split('\n').filter(line => line.includes(`| ${row} `))
      assert.equal(cells.length, 2, `${row} (${because}) stands once for each number of stations:\n${speed}`)
      for (const line of cells) assert.match(line, /^\|[^|]+\|[^|]+\| [\d.,]+ +\|/, 'calls/s')
    }
    for (const each of ['bare `ws` echo', '`ocpp-rpc`, no validation', 'ocpp-cable'])
      assert.match(memory, new RegExp(`^\\| ${each} +\\| +-?[\\d.,]+ `, 'm'), each)
    // What tsx compiles with ends a moment after its parent.
    for (let tries = 0; processesWith(marker).length > 0; tries++) {
      assert.ok(tries < 40, `still running: ${processesWith(marker).join(', ')}`)
      await setTimeout(50)
    }
  },
)

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
