/**
 * `npm run drill`: provokes the fault of each alert at a real bridge with a real Prometheus, waits until the alert
 * fires, and runs the commands of its entry in docs/run-book.md. Exits with 1 if an alert does not fire, or a command
 * ends otherwise than it should.
 */
import { readFileSync } from 'node:fs'
import { keepUntil } from '../support/keep.ts'
import { program, programEnv } from '../support/bridge.ts'
import { freePort } from '../support/ports.ts'
import { openProcess } from '../support/process.ts'
import { openPrometheus } from '../support/prometheus.ts'
import { hurried, openScenes, type Scene } from './scenes.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const print = (text: string): void => void process.stdout.write(`${text}\n`)

const firesWithinMs = 90_000
/** `tail` goes on until it is ended; a check of an app that is away takes a while. */
const commandMs = { tail: 10_000, other: 60_000 }
/** Exit codes of docs/cli.md that show the fault of an alert; all other commands end with 0. */
const faults: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  // A line of check is fail; the station answers no command.
  OcppAppDown: { check: 1 },
  OcppBroadcastsDown: { check: 1, call: 4 },
}

/** The commands of an alert's entry in the run-book. */
function commandsOf(alert: string): string[] {
  const [, entry = ''] =
    new RegExp(`^### ${alert}\\n(.*?)(?=^### |(?![\\s\\S]))`, 'ms').exec(read('docs/run-book.md')) ?? []
  const [, block = ''] = /```sh\n(.*?)```/s.exec(entry) ?? []
  return block.split('\n').filter(line => line.startsWith('ocpp-cable '))
}

/**
 * Runs one command as a shell would split it; prints what it prints.
 * @returns what is wrong with its end, if anything
 */
async function runCommand(alert: string, line: string, { env, stationId }: Scene): Promise<string | null> {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const args = words.slice(1).map(word => (word === 'ID' ? stationId : word))
  const command = openProcess(process.execPath, [program, ...args], { env: programEnv({ ...env, NO_COLOR: '1' }) })
  const withinMs = args[0] === 'tail' ? commandMs.tail : commandMs.other
  const timer = setTimeout(() => command.signal('SIGINT'), withinMs)
  const { code, signal } = await command.exited
  clearTimeout(timer)
  print(`\n$ ${line}\n${command.lines.slice(0, 30).join('\n')}\n(${signal ?? `exit code ${code}`})`)
  // Only Ctrl-C ends a tail.
  const expected = args[0] === 'tail' ? 'SIGINT' : (faults[alert]?.[args[0] ?? ''] ?? 0)
  return (signal ?? code) === expected ? null : `ended with ${signal ?? code}, not with ${expected}`
}

const ends: (() => Promise<void>)[] = []
const keep = keepUntil(close => ends.push(close))
const problems: string[] = []
try {
  const scenes = await openScenes(keep, async () => {
    const port = await freePort()
    return [`--admin_port=${port}`]
  })
  const rules = hurried(read('examples/monitoring/alerts.yml'))
  const targets = Object.fromEntries(scenes.map(({ job, bridge }) => [job, [bridge.metricsPort]]))
  const prometheus = keep(await openPrometheus(targets, rules))
  for (const scene of scenes) {
    for (const [alert, provoke] of Object.entries(scene.alerts)) {
      await provoke()
      const found = await prometheus.firing(alert, scene.job, firesWithinMs)
      print(`\n== ${alert}: ${found.annotations['summary'] ?? ''}`)
      const url = `http://127.0.0.1:${scene.env['ANYCABLE_ADMIN_PORT']}`
      for (const line of commandsOf(alert)) {
        const problem = await runCommand(alert, line, { ...scene, env: { ...scene.env, ANYCABLE_ADMIN_URL: url } })
        if (problem !== null) problems.push(`${alert}: ${line}: ${problem}`)
      }
    }
  }
} finally {
  for (const end of ends) await end()
}
for (const problem of problems) print(problem)
process.exit(problems.length > 0 ? 1 : 0)
