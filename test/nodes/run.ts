/**
 * `npm run nodes`: a part of the tests, those of TLS and of a charging session, on other major versions of Node. Their
 * binaries come from npm, into the user's cache.
 *
 *   npm run nodes -- --majors=22,26 test/e2e/upgrade.test.ts
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { program } from '../support/bridge.ts'
import { installNode, majors } from '../support/nodes.ts'
import { run } from '../support/process.ts'

const tls = readdirSync('test/server/tls').map(name => `test/server/tls/${name}`)
/** Of files that use what is not Node's interface, or that make up for a fault of some versions. */
const internals = ['server/connections', 'ops/http/strangers', 'ops/http/last-answer', 'server/http-server'].map(
  name => `test/${name}.test.ts`,
)
const usual = ['listeners', 'client-certificates', 'station-keys', 'charging-session', 'strangers', 'tls-page']
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { majors: { type: 'string', default: majors.slice(1).join(',') } },
})
const files =
  positionals.length > 0 ? positionals : [...usual.map(name => `test/e2e/${name}.test.ts`), ...tls, ...internals]

const failed: string[] = []
for (const major of values.majors.split(',')) {
  const node = await installNode(major)
  const { stdout, code } = await run(node, [program, '--version'])
  process.stdout.write(`== Node ${(await run(node, ['--version'])).stdout.trim()}: ${stdout}`)
  // The tests start the bridge with the Node that runs them.
  const flags = ['--import', 'tsx', '--test', '--test-concurrency=1', '--test-timeout=600000']
  const { status } = spawnSync(node, [...flags, '--test-reporter=./test/support/reporter.js', ...files], {
    stdio: 'inherit',
  })
  if (code !== 0 || status !== 0) failed.push(major)
}
process.stdout.write(failed.length === 0 ? 'passes on each\n' : `fails on Node ${failed.join(', ')}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
