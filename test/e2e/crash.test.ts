/**
 * A bridge that ends by a bug while messages with secrets are in flight: what it writes has none of them, and it leaves
 * no report behind.
 */
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'
import { cableApp, ScriptedApp } from '../support/app.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openRawStation } from '../support/station.ts'
import { temporaryDirectory } from '../support/store.ts'

const tag = 'geheim-Tag-0815'
const password = 'geheim-Password-0815'
const message = JSON.stringify({ idTag: tag })

/** Run in the process of the bridge at SIGUSR2; `message` has the secret. */
const bugs: Readonly<Record<string, { readonly run: string; readonly written: RegExp; readonly because: string }>> = {
  parse: {
    run: 'JSON.parse(message.slice(0, -1))',
    written: /"error":"SyntaxError","stack":\["at JSON\.parse/,
    because: 'V8 repeats the text',
  },
  quoted: {
    run: 'JSON.parse(message.slice(10))',
    written: /"error":"SyntaxError".*a bug ended the process/,
    because: 'V8 repeats the text',
  },
  property: {
    run: 'throw Object.assign(new Error("no such station"), { frame: message, cause: { frame: message } })',
    written: /"error":"Error".*a bug ended the process/,
    because: 'Node prints all properties of an error',
  },
  rejection: {
    run: 'void Promise.reject(Object.assign(new TypeError("no function"), { message, frame: message }))',
    written: /a bug ended the process/,
    because: 'nobody handles it',
  },
  operator: {
    run: '"x" in message',
    written: /"error":"TypeError".*a bug ended the process/,
    because: 'V8 repeats the value',
  },
  heap: {
    run: 'const all = []; for (;;) all.push(message.repeat(2).split(""))',
    written: /FATAL ERROR: .*heap out of memory/,
    because: 'V8 aborts, with its own words',
  },
  abort: { run: 'process.abort()', written: /^/m, because: 'SIGABRT' },
}

for (const [name, { run, written, because }] of Object.entries(bugs)) {
  test(
    `a bridge that crashes by ${name} writes no secret of a message in flight: ${because}`,
    { timeout: 120_000 },
    async t => {
      const keep = keepUntil(close => t.after(close))
      const dir = temporaryDirectory(t)
      const bug = join(dir, 'bug.mjs')
      writeFileSync(bug, `const message = ${JSON.stringify(message)}\nprocess.on('SIGUSR2', () => { ${run} })\n`)
      const app = keep(await ScriptedApp.start())
      app.always(cableApp(() => new Promise(() => undefined)))
      const bridge = keep(
        await openBridge(
          [`--rpc_host=${app.host}`, '--debug', '--ocpp_sn=station_id', '--ocpp_history=10'],
          { NODE_OPTIONS: `--import=${pathToFileURL(bug).href} --max-old-space-size=60 --report-directory=${dir}` }, // prettier-ignore
        ),
      )
      const credentials = Buffer.from(`CP1:${password}`).toString('base64')
      const station = keep(
        await openRawStation(bridge.url, 'CP1', { headers: { authorization: `Basic ${credentials}` } }),
      )
      station.send(`[2,"a","Authorize",${message}]`)
      await bridge.logged(/received.*Authorize|Authorize.*received/)
      bridge.process.signal('SIGUSR2')
      const { code, signal } = await bridge.process.exited
      assert.notEqual(code, 0)
      if (signal === null) assert.equal(code, 1)
      else assert.match(signal, /^SIG(?:ABRT|TRAP|ILL)$/)
      const { output } = bridge.process
      assert.match(output, written)
      for (const secret of [tag, password, credentials]) assert.equal(output.includes(secret), false, secret)
      assert.deepEqual(readdirSync(dir), ['bug.mjs'], 'no report, no snapshot')
    },
  )
}
