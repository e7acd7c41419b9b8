/**
 * Starts the app and the bridge on free ports of 127.0.0.1.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { energyWh, Transaction } from '../book.ts'
import type { Entry } from '../rpc.ts'
import { Failure, within } from './failure.ts'
import { startProgram, type Program } from './programs.ts'

export type Booked = Transaction & { readonly energyWh: ReturnType<typeof energyWh> }

export interface App extends Program {
  readonly rpc: string
  readonly transactionsUrl: string
  /** Resolves with the first matching entry of the app's journal, past or future. */
  entry(what: string, look: (entry: Entry) => boolean): Promise<Entry>
  transactions(): Promise<readonly Booked[]>
}

export interface Bridge extends Program {
  /** `http://host:port` of the stations' port. */
  readonly base: string
  readonly broadcastUrl: string
}

const startSeconds = 20
const entrySeconds = 10

export async function startApp(broadcastUrl: string, keep: (program: Program) => void): Promise<App> {
  const args = ['--rpc_port=0', '--web_port=0', `--broadcast_url=${broadcastUrl}`]
  const program = startProgram('The app', ['--import', 'tsx', 'examples/app/app.ts', ...args])
  keep(program)
  const entry = (what: string, look: (entry: Entry) => boolean, seconds = entrySeconds): Promise<Entry> =>
    within(
      seconds,
      program.find(line => {
        const read = entryOf(line)
        return read !== undefined && look(read) ? read : undefined
      }),
      `the app to note: ${what}`,
    )
  const started = entry('listening', ({ event }) => event === 'listening', startSeconds)
  const listening = await Promise.race([started, program.endedEarly])
  const transactionsUrl = String(listening['transactions'])
  return {
    ...program,
    rpc: String(listening['rpc']),
    transactionsUrl,
    entry,
    transactions: async () => {
      const response = await fetch(transactionsUrl).catch((error: unknown) => {
        throw new Failure("The app's book cannot be read", { cause: error })
      })
      return (await response.json()) as Booked[]
    },
  }
}

type BridgeOptions = {
  readonly rpcHost: string
  readonly broadcastUrl: string
  /** Whether commands such as `ocpp-cable stations` can ask it. */
  readonly hasAdmin: boolean
}

export async function startBridge(
  { rpcHost, broadcastUrl, hasAdmin }: BridgeOptions,
  keep: (program: Program) => void,
): Promise<Bridge> {
  const program = startProgram('The bridge', [
    'bin/ocpp-cable',
    '--ignore-config-path',
    '--host=127.0.0.1',
    '--port=0',
    `--rpc_host=${rpcHost}`,
    '--broadcast_adapter=http',
    `--http_broadcast_port=${new URL(broadcastUrl).port}`,
    ...(hasAdmin ? [`--admin_port=${await freePort()}`] : []),
  ])
  keep(program)
  const started = program.find(line => /Handle health requests at (http:\S+)\/health/.exec(line)?.[1])
  const base = await Promise.race([within(startSeconds, started, 'the bridge to start'), program.endedEarly])
  return { ...program, base, broadcastUrl }
}

/** The future URL for broadcasts, chosen before the bridge starts, because the app starts first and needs it. */
export async function freeBroadcastUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}/_broadcast`
}

async function freePort(): Promise<number> {
  // Below the ephemeral port range, so that the port is still free a second later.
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

export function entryOf(line: string): Entry | undefined {
  return line.startsWith('{') ? (JSON.parse(line) as Entry) : undefined
}
