/**
 * The example app of `examples/rails`: real Rails with AnyCable's gRPC server, each with its own ledger.
 */
import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import { readFileSync, watch } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from './cache.ts'
import { freePort } from './ports.ts'
import { installPackages, openProcess, run, type Exit, type Process, type Result } from './process.ts'

const appFolder = fileURLToPath(new URL('../../examples/rails', import.meta.url))

/** Bundler's settings for a Gemfile; the gems of all are in one folder of the user's cache. */
export const bundleEnvOf = (gemfile: string) => ({
  BUNDLE_GEMFILE: gemfile,
  BUNDLE_PATH: cacheFolder('gems'),
  BUNDLE_SILENCE_ROOT_WARNING: '1',
  RUBYOPT: undefined,
})

const bundleEnv = bundleEnvOf(join(appFolder, 'Gemfile'))

const debianPackages = ['ruby', 'ruby-dev', 'bundler', 'build-essential', 'libyaml-dev']

const readyWithinMs = 60_000
const entryWithinMs = 30_000

/**
 * Installs Ruby and the app's gems, the gems in the user's cache folder. Takes half a minute the first time and half a
 * second later. Test files that run in parallel may all call it.
 */
export async function installRails(): Promise<void> {
  await installGems(bundleEnv.BUNDLE_GEMFILE)
}

/** Has Ruby and the gems of a Gemfile installed. */
export async function installGems(gemfile: string): Promise<void> {
  const options = { cwd: dirname(gemfile), env: bundleEnvOf(gemfile) }
  if ((await run('bundle', ['check'], options)).code === 0) return
  await installPackages(...debianPackages)
  const result = await run('bundle', ['install', '--jobs', '4', '--retry', '3'], options)
  if (result.code === 0) return
  throw new Error(
    `The gems of ${gemfile} could not be installed; on Debian they need ${debianPackages.join(', ')}.\n` +
      `bundle install:\n${result.stdout}${result.stderr}`,
  )
}

/** One line of the ledger: `event` is the OCPP action, underscored, or an event of a session. */
export type LedgerEntry = {
  readonly at: string
  readonly event: string
  readonly station: string
  /** Of `subscribed` and `unsubscribed`. */
  readonly sn?: string
  /** The message's id. */
  readonly id?: string
  readonly payload?: Readonly<Record<string, unknown>>
  /** Of bookings (start, stop, meter values): the booking's number; for a start, the transaction id. */
  readonly number?: number
  /** Of bookings: the message was booked before, under `number`. */
  readonly duplicate?: boolean
  /** Of performs that the bridge retries. */
  readonly attempt?: number
  /** Of `ack` and `error`: the action of the command. */
  readonly request?: string
  readonly late?: boolean
  /** Of bookings that the bridge has stored meanwhile. */
  readonly storedAt?: string
  readonly sid?: string
  /** Of messages and outcomes. */
  readonly version?: string
  /** Of bookings. */
  readonly key?: string
  /** Of `error`. */
  readonly code?: string
  readonly message?: string
}

export type RailsOptions = {
  readonly rpcPort?: number
  /** The NATS server for broadcasts. Without it and `httpBroadcastUrl`, broadcasts go nowhere. */
  readonly natsUrl?: string
  readonly httpBroadcastUrl?: string
  /** STATIONS, ID_TAGS, STATION_PASSWORD, LOG_LEVEL and the gem's options. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Rails {
  readonly rpcPort: number
  /** The app that runs now or ran last. */
  readonly process: Process
  /** The value of LEDGER for another app with the same ledger. */
  readonly ledgerPath: string
  ledger(): LedgerEntry[]
  /** The first matching entry, whether already in the ledger or not; rejects after half a minute. */
  waitFor(predicate: (entry: LedgerEntry) => boolean): Promise<LedgerEntry>
  /** Runs a rake task beside the app, with the same ledger and broadcasts. */
  rake(task: string, env?: Readonly<Record<string, string>>): Promise<Result>
  /** Resolves when the app has ended; for SIGSTOP and SIGCONT use `process.signal`. */
  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<Exit>
  /** Kills the app if it runs, and starts it again on the same port and with the same ledger. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Starts the app; resolves when its RPC server answers. With NATS, the gem waits for NATS first. */
export async function openRails(options: RailsOptions = {}): Promise<Rails> {
  await installRails()
  const rpcPort = options.rpcPort ?? (await freePort())
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-rails-'))
  const ledgerPath = join(folder, 'ledger.jsonl')
  await writeFile(ledgerPath, '')

  const env = {
    ...bundleEnv,
    RAILS_ENV: 'production',
    LEDGER: ledgerPath,
    ANYCABLE_RPC_HOST: `127.0.0.1:${rpcPort}`,
    ...broadcastEnv(options),
    ...options.env,
  }
  const readLedger = () => parseLedger(readFileSync(ledgerPath, 'utf8'))
  const removeFolder = () => rm(folder, { recursive: true, force: true })
  let app: Process
  try {
    app = await startApp(rpcPort, env)
  } catch (error) {
    await removeFolder()
    throw error
  }

  const kill = (signal: NodeJS.Signals) => {
    app.signal(signal)
    return app.exited
  }
  return {
    rpcPort,
    get process() {
      return app
    },
    ledgerPath,
    ledger: readLedger,
    waitFor: predicate => waitForEntry(folder, readLedger, predicate),
    rake: (task, more = {}) => run('bundle', ['exec', 'rake', task], { cwd: appFolder, env: { ...env, ...more } }),
    kill,
    restart: async () => {
      await kill('SIGKILL')
      app = await startApp(rpcPort, env)
    },
    close: async () => {
      await app.close()
      await removeFolder()
    },
  }
}

function broadcastEnv({ natsUrl, httpBroadcastUrl }: RailsOptions) {
  if (natsUrl !== undefined) return { ANYCABLE_BROADCAST_ADAPTER: 'nats', ANYCABLE_NATS_SERVERS: natsUrl }
  const url = httpBroadcastUrl ?? 'http://127.0.0.1:1/_broadcast'
  return { ANYCABLE_BROADCAST_ADAPTER: 'http', ANYCABLE_HTTP_BROADCAST_URL: url }
}

/** Waits for gRPC's own handshake: the port is open before the server answers on it. */
async function startApp(rpcPort: number, env: Readonly<Record<string, string | undefined>>): Promise<Process> {
  const app = openProcess('bundle', ['exec', 'anycable'], { cwd: appFolder, env })
  const Client = makeClientConstructor({}, 'anycable.RPC')
  const client = new Client(`127.0.0.1:${rpcPort}`, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 50,
    'grpc.max_reconnect_backoff_ms': 100,
  })
  const readyWithin = (ms: number) =>
    new Promise<Error | undefined>(resolve => client.waitForReady(Date.now() + ms, resolve))
  const deadline = Date.now() + readyWithinMs
  const ended = new AbortController()
  void app.exited.then(() => ended.abort())
  try {
    // Short waits, because a pending one would keep this process alive after the app has ended.
    for (let error = await readyWithin(500); error; error = await readyWithin(500)) {
      if (ended.signal.aborted) throw new Error('the process ended')
      if (Date.now() > deadline) throw error
    }
    return app
  } catch (cause) {
    await app.close()
    throw new Error(`The example app did not get ready:\n${app.output}`, { cause })
  } finally {
    client.close()
  }
}

/** The last line may be incomplete. */
function parseLedger(text: string): LedgerEntry[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as LedgerEntry)
}

async function waitForEntry(
  folder: string,
  readLedger: () => LedgerEntry[],
  predicate: (entry: LedgerEntry) => boolean,
): Promise<LedgerEntry> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const entry = readLedger().find(predicate)
      if (entry) end(() => resolve(entry))
    }
    const end = (settle: () => void) => {
      watcher.close()
      clearTimeout(timer)
      settle()
    }
    const watcher = watch(folder, look) // watch before reading, so that no entry is missed
    const timer = setTimeout(() => {
      const entries = readLedger().map(entry => JSON.stringify(entry))
      end(() => reject(new Error(`No such entry within ${entryWithinMs} ms in the ledger:\n${entries.join('\n')}`)))
    }, entryWithinMs)
    look()
  })
}
