/**
 * The demo behind bin/demo: starts the app and the bridge, connects a simulated station, narrates its session, checks
 * the app's book, and stops everything. Exit codes: 0 if the session succeeded, 1 if not, 130 after Ctrl-C.
 */
import { parseArgs } from 'node:util'
import { problemsOf } from './demo/check.ts'
import { Failure, reasonOf } from './demo/failure.ts'
import { keepUp } from './demo/keep.ts'
import { Page } from './demo/page.ts'
import type { Program } from './demo/programs.ts'
import { entryOf, freeBroadcastUrl, startApp, startBridge } from './demo/scene.ts'
import { charge, plugIn, stationId, unplug, type Stage } from './demo/story.ts'
import { Teller } from './demo/teller.ts'

const usage = `Usage: bin/demo [--keep] [--pace=SECONDS]

Shows one charging session, from the station's first hello to the receipt. Needs only Node and npm.

  --keep            keeps the bridge, the app and the station running afterwards, until Ctrl-C
  --pace=SECONDS    pause after each line (default: 0.3 on a terminal, otherwise 0)
  --help            prints this help and exits
`

const endings = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
const brokenPipe = 141
const linesShown = 12

type Options = { readonly keep: boolean; readonly paceMs: number }

class Demo {
  readonly #opened: { close(): unknown }[] = []
  readonly #ending = new AbortController()
  readonly #programs: Program[] = []
  /** The exit code of the signal that ends the demo; `null` before one arrives. */
  #exitCode: number | null = null

  async run(options: Options): Promise<number> {
    const interrupted = this.#listenForEnd()
    try {
      await Promise.race([this.#play(options), interrupted])
      await this.#close()
      process.stdout.write('Nothing is left running.\n')
      return 0
    } catch (error) {
      const code = this.#exitCode ?? 1
      if (this.#exitCode === null) this.#explain(error)
      await this.#close()
      if (code === endings.SIGINT) process.stdout.write('\nStopped. Nothing is left running.\n')
      return code
    }
  }

  async #play(options: Options): Promise<void> {
    const isTerminal = process.stdout.isTTY
    const hasColour = isTerminal && !process.env['NO_COLOR']
    const { signal } = this.#ending
    const startedAt = Date.now()
    const page = new Page({ isTerminal, hasColour, paceMs: options.paceMs, signal })
    const stage = await this.#setUp(page, options.keep)
    await Promise.race([this.#perform(stage, options, startedAt), stage.app.endedEarly, stage.bridge.endedEarly])
  }

  async #setUp(page: Page, hasAdmin: boolean): Promise<Stage> {
    const keep = (program: Program): void => {
      this.#opened.push(program)
      this.#programs.push(program)
    }
    const broadcastUrl = await freeBroadcastUrl()
    const app = await startApp(broadcastUrl, keep)
    this.#ending.signal.throwIfAborted()
    const bridge = await startBridge({ rpcHost: app.rpc, broadcastUrl, hasAdmin }, keep)
    await page.heading('One charging session, from the first hello to the receipt')
    await page.text('')
    await page.row('station', `${stationId}, a simulated charging station; speaks OCPP 1.6 over a WebSocket`)
    await page.row('bridge', `ocpp-cable, listening on ${bridge.base} (pid ${bridge.pid})`)
    await page.row('app', `examples/app, a small charging app; speaks gRPC on ${app.rpc} (pid ${app.pid})`)
    return { page, app, bridge, teller: new Teller(page, app, stationId) }
  }

  async #perform(stage: Stage, { keep }: Options, startedAt: number): Promise<void> {
    const pluggedIn = await plugIn(stage)
    this.#opened.push({ close: () => pluggedIn.station.cut() })
    const session = await charge(stage, pluggedIn)
    if (!keep) await unplug(stage, pluggedIn)
    const problems = problemsOf(await stage.app.transactions(), session)
    if (problems.length > 0) throw new Failure(problems.join('\n'))
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1)
    await stage.page.text(
      `\nChecked: the app's book has exactly one transaction, closed, with every reading that the station sent, and the\n` +
        `station's "Accepted" to the remote stop. The session took ${seconds} s.`,
    )
    if (keep) await keepUp(stage, pluggedIn, this.#ending.signal)
  }

  /** The first signal shuts down in order. A second one exits at once, which kills the remaining programs. */
  #listenForEnd(): Promise<never> {
    return new Promise((_, reject) => {
      const end = (code: number): void => {
        if (this.#exitCode !== null) process.exit(code)
        this.#exitCode = code
        const interruption = new Failure('The demo was interrupted')
        reject(interruption)
        this.#ending.abort(interruption)
      }
      for (const [signal, code] of Object.entries(endings)) process.on(signal, () => end(code))
      process.stdout.on('error', () => end(brokenPipe))
    })
  }

  /** Prints the last log lines of each program, without the app's journal, which the demo has already shown. */
  #explain(error: unknown): void {
    process.stderr.write(`\nbin/demo: the session failed. ${reasonOf(error)}\n`)
    for (const { name, lines } of this.#programs) {
      const last = lines.filter(line => entryOf(line) === undefined).slice(-linesShown)
      if (last.length > 0) process.stderr.write(`${name}'s last output:\n  ${last.join('\n  ')}\n`)
    }
  }

  /** Stops the station, then the bridge, which reports the disconnect to the app, then the app. */
  async #close(): Promise<void> {
    this.#ending.abort()
    for (const part of this.#opened.splice(0).reverse()) await part.close()
  }
}

/** @returns `null` if only the help is requested */
function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      keep: { type: 'boolean', default: false },
      pace: { type: 'string', default: process.stdout.isTTY ? '0.3' : '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return null
  const paceMs = Number(values.pace) * 1000
  if (!(paceMs >= 0 && paceMs <= 3_600_000)) throw new Failure(`--pace=${values.pace}: expected a number of seconds`)
  return { keep: values.keep, paceMs }
}

async function main(): Promise<number> {
  let options: Options | null
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`bin/demo: ${reasonOf(error)}\n\n${usage}`)
    return 1
  }
  if (options !== null) return new Demo().run(options)
  process.stdout.write(usage)
  return 0
}

process.exit(await main())
