/**
 * The program. With a subcommand it runs that (`cli/`). Without, it resolves the configuration from arguments,
 * environment and file, opens the bridge, and closes it on SIGINT or SIGTERM. SIGHUP reloads the files that can
 * change while it runs.
 *
 * Exit codes of the bridge: 0 after a clean shutdown; 1 when it cannot start, does not close within
 * `--shutdown_timeout`, receives a second signal, or meets a bug that no session confines.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { App } from './app.ts'
import { commands } from './cli/commands.ts'
import { commandList } from './cli/help.ts'
import { runCommand } from './cli/run.ts'
import { openTerminal } from './cli/terminal.ts'
import { isAction } from './config/actions.ts'
import { helpText, printedConfig } from './config/help.ts'
import { askedOf, resolve, type Asked, type ConfigFile, type Resolution } from './config/resolve.ts'
import type { Config } from './config/rules.ts'
import { endOnFault } from './ops/crash.ts'
import { readRegularFileSync } from './ops/files/regular.ts'
import { openLog, type Log } from './ops/log.ts'
import type { Opened } from './ops/http/server.ts'
import { openTraces } from './ops/reporting/traces.ts'
import { readConfigFile } from './settings.ts'
import { lowerHelperThreads } from './threads.ts'

type Level = Config['log']['level']

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

async function main(argv: readonly string[]): Promise<void> {
  if (argv[0]?.startsWith('-') === false) {
    process.exitCode = await runCommand(argv, openTerminal())
    return
  }
  const asked = askedOf(argv)
  if (asked.wish === 'help') print(helpText(commandList(commands)))
  else if (asked.wish === 'version') print(`${manifest.version}\n`)
  else await configure(asked, argv)
}

async function configure({ wish, file: asked }: Asked, argv: readonly string[]): Promise<void> {
  const nodeId = randomBytes(4).toString('base64url')
  const read = (file: ConfigFile | null): Resolution => resolve({ argv, env: process.env, file, nodeId })
  const file = readConfigFile(asked)
  const resolution = read(file)
  for (const warning of resolution.warnings) process.stderr.write(`warning: ${warning}\n`)
  if (!resolution.ok) fail(resolution.problems)
  else if (wish === 'print-config') print(printedConfig(resolution.settings, resolution.config))
  else await run(resolution.config, file, () => levelIn(read(readConfigFile(asked, readRegularFileSync))))
}

/** Throws if the configuration has a problem, in any part. */
function levelIn(resolution: Resolution): Level {
  if (!resolution.ok) throw new Error(resolution.problems.join('; '))
  return resolution.config.log.level
}

/** @param readLevel reads the log level of the configuration again */
async function run(config: Config, file: ConfigFile | null, readLevel: () => Level): Promise<void> {
  const { level, format, sensitive: isSensitive } = config.log
  const traces = config.traces.enabled
    ? await openTraces(isAction).catch((error: unknown) => fail([String(error)]))
    : null
  if (traces === undefined) return
  const log = openLog({ level, format, isSensitive, nodeId: config.node.id, fields: traces?.logFields })
  endOnFault(log)
  log.info({}, `Starting ocpp-cable ${manifest.version} (pid: ${process.pid}, node: ${process.version})`)
  void lowerHelperThreads()
  if (file !== null) log.info({}, `Using configuration from file: ${file.path}`)
  // Loaded here, because commands, help and a wrong configuration start three times as fast without it.
  const opening = import('./app.ts').then(({ openApp }) => openApp(config, log, manifest.version, traces))
  endOnSignal(opening, config.lifecycle.shutdownTimeoutMs, log)
  reloadOnSignal(opening)
  try {
    const app = await opening
    const files = file === null ? [] : [file.path]
    app.reloads.watch({ part: 'log_level', files, load: () => app.setLogLevel(readLevel()) })
  } catch (error) {
    log.error({ error }, 'could not start')
    process.exit(1)
  }
}

/** The first signal closes the program in order, even during startup; a second one exits immediately. */
function endOnSignal(opening: Promise<Opened>, timeoutMs: number, log: Log): void {
  let isEnding = false
  const onSignal = (): void => {
    if (isEnding) {
      log.warn({}, 'Immediate termination requested. Stopped')
      process.exit(1)
    }
    isEnding = true
    const seconds = timeoutMs / 1000
    log.info(
      {},
      `Shutting down... (hit Ctrl-C to stop immediately or wait for up to ${seconds}s for graceful shutdown)`,
    )
    setTimeout(() => {
      log.error({}, `Shutdown did not finish within ${seconds}s (--shutdown_timeout). Stopped`)
      process.exit(1)
    }, timeoutMs)
    // A failed start exits on its own.
    void opening.then(
      app => end(app, log),
      () => undefined,
    )
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}

/** A terminal that closes sends it, too. `bin/ocpp-cable` keeps its default away before. */
function reloadOnSignal(opening: Promise<App>): void {
  const onHangUp = (): void => {
    // A failed start exits on its own.
    void opening.then(
      ({ reloads }) => reloads.reload(),
      () => undefined,
    )
  }
  process.on('SIGHUP', onHangUp)
}

async function end(app: Opened, log: Log): Promise<void> {
  await app.close()
  log.info({}, 'Stopped')
  process.exit(0)
}

function print(text: string): void {
  process.stdout.write(text)
}

function fail(problems: readonly string[]): void {
  for (const problem of problems) process.stderr.write(`${problem}\n`)
  process.stderr.write('Nothing was started. See --help.\n')
  process.exitCode = 1
}

await main(process.argv.slice(2))
