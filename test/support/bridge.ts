/**
 * The built program, as an operator starts it.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from './ports.ts'
import { openProcess, type Exit, type Process } from './process.ts'
import { assertNoSecret, noteFrame, noteOptions } from './secrets.ts'

export const program = fileURLToPath(new URL('../../bin/ocpp-cable', import.meta.url))

/** What the gem publishes: `data` is JSON in JSON. */
export type Broadcast = { readonly stream: string; readonly data: string }

/** One line of the JSON log. */
export type LogLine = { readonly level: string; readonly msg: string } & Readonly<Record<string, unknown>>

export interface Bridge {
  /** Where stations connect; `/` and the station's id follow. */
  readonly url: string
  readonly port: number
  readonly metricsPort: number
  /** For broadcasts over HTTP, the default without `nats_servers`. */
  readonly httpBroadcastUrl: string
  /** Publishes over HTTP; rejects unless it is accepted. */
  broadcast(broadcast: Broadcast): Promise<void>
  /** The program that runs now or ran last. */
  readonly process: Process
  /** The log so far. */
  log(): LogLine[]
  /** The first matching line of the log, as JSON, whether already written or not. */
  logged(pattern: RegExp): Promise<LogLine>
  /** The sum of a metric over its labels, by its name without the prefix; 0 if it was never counted. */
  metric(name: string): Promise<number>
  /** Resolves when the metric has reached the value; rejects after half a minute. */
  metricReaches(name: string, value: number): Promise<void>
  /** The status and the text of a plain GET on the stations' port. */
  get(path: string): Promise<{ status: number; body: string }>
  /**
   * Resolves when the program has ended. Rejects, as `restart` and `close` do, if it has written a secret of the tests.
   */
  kill(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<Exit>
  /** Kills the program if it runs, and starts it again with the same arguments, on the same ports. */
  restart(): Promise<void>
  close(): Promise<void>
}

const metricWithinMs = 30_000
const metricEveryMs = 20

/**
 * Starts the program on free ports of 127.0.0.1; resolves when it accepts stations.
 *
 * @param args flags in addition to those that set the ports
 */
export async function openBridge(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Bridge> {
  const [port, broadcastPort, metricsPort] = [await freePort(), await freePort(), await freePort()]
  const flags = [
    '--ignore-config-path',
    '--host=127.0.0.1',
    `--port=${port}`,
    `--http_broadcast_port=${broadcastPort}`,
    '--metrics_http=/metrics',
    `--metrics_port=${metricsPort}`,
    '--log_format=json',
    ...args,
  ]
  const start = () => startProgram(flags, env)
  let { bridge, url } = await start()
  noteOptions(flags, env)
  const isSensitive = flags.includes('--log_sensitive')
  /** Of the program that has ended. */
  const assertDiscreet = () => assertNoSecret(bridge.output, isSensitive)

  const httpBroadcastUrl = `http://127.0.0.1:${broadcastPort}/_broadcast`
  const metric = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`)
    return sumOf(`ocpp_cable_${name}`, await response.text())
  }
  return {
    get url() {
      return url
    },
    port,
    metricsPort,
    httpBroadcastUrl,
    broadcast: async broadcast => {
      noteFrame(broadcast.data)
      const { status } = await fetch(httpBroadcastUrl, { method: 'POST', body: JSON.stringify(broadcast) })
      assert.equal(status, 201)
    },
    get process() {
      return bridge
    },
    log: () => bridge.lines.filter(line => line.startsWith('{')).map(line => JSON.parse(line) as LogLine),
    logged: async pattern => JSON.parse(await bridge.line(pattern)) as LogLine,
    metric,
    metricReaches: async (name, value) => {
      const deadline = Date.now() + metricWithinMs
      for (let found = await metric(name); found < value; found = await metric(name)) {
        if (Date.now() > deadline) throw new Error(`${name} is ${found}, not ${value}, after ${metricWithinMs} ms`)
        await sleep(metricEveryMs)
      }
    },
    get: async path => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      return { status: response.status, body: await response.text() }
    },
    kill: async signal => {
      bridge.signal(signal)
      const exit = await bridge.exited
      assertDiscreet()
      return exit
    },
    restart: async () => {
      bridge.signal('SIGKILL')
      await bridge.exited
      assertDiscreet()
      ;({ bridge, url } = await start())
    },
    close: async () => {
      await bridge.close()
      assertDiscreet()
    },
  }
}

/** Without the options in the environment of whoever runs the tests. */
export function programEnv(
  env: Readonly<Record<string, string | undefined>> = {},
): Readonly<Record<string, string | undefined>> {
  const names = Object.keys(process.env).filter(name => name.startsWith('ANYCABLE_') || name === 'PORT')
  return { ...Object.fromEntries(names.map(name => [name, undefined])), ...env }
}

/** A remote command as the gem publishes it for `OCPPChannel.broadcast_to "ev/#{sn}"`. */
export function commandBroadcast(
  sn: string,
  { command, id, payload }: { readonly command: string; readonly id?: string; readonly payload: object },
): Broadcast {
  return { stream: streamOf(sn), data: JSON.stringify({ command, id, payload }) }
}

/** The stream of the channel's `stream_for "ev/#{sn}"`. */
export function streamOf(sn: string): string {
  return `ocpp:ev/${sn}`
}

async function startProgram(
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ bridge: Process; url: string }> {
  const bridge = openProcess(process.execPath, [program, ...flags], { env: programEnv(env) })
  try {
    const line = await bridge.line(/Handle OCPP/)
    const [, http = '', path = ''] = /at (https?:\/\/[^/]+)(\S*)\/\{station_id\}/.exec(line) ?? []
    return { bridge, url: http.replace(/^http/, 'ws') + path }
  } catch (error) {
    await bridge.close()
    throw error
  }
}

function sumOf(name: string, exposition: string): number {
  const samples = exposition.split('\n').filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
