/**
 * The cost of options: the same calls to bridges that differ only in their flags, each compared with one without the
 * option. Keeping answers to transaction messages has no option: such a message is compared with another one.
 */
import type { CallName } from './calls.ts'
import { openServer, openWorker } from './children.ts'
import { groupOf } from './group.ts'
import type { Compression } from './load.ts'
import { openBridge, type Subject } from './subjects.ts'
import { markdownTable, ratio, spread } from './table.ts'
import { inTurns, type Column, type Contender, type SpeedPlan } from './turns.ts'

/** Rows that are compared with the first one. */
type Block = { readonly what: string; readonly app: 'acked' | 'silent'; readonly rows: readonly Row[] }

type Row = {
  readonly option: string
  readonly bridge: keyof typeof flags
  readonly call: CallName
  readonly compression: Compression
}

const validating = (mode: string): string[] => [`--ocpp_validate_in=${mode}`, `--ocpp_validate_acks=${mode}`]
/** Nobody scrapes it during a run. */
const metricsPort = 19_464
const flags = {
  off: [...validating('off'), '--ocpp_compression=off'],
  warn: [...validating('warn'), '--ocpp_compression=off'],
  strict: [...validating('strict'), '--ocpp_compression=off'],
  compressing: [...validating('off'), '--ocpp_compression=on'],
  metrics: [...validating('off'), '--ocpp_compression=off', '--metrics_http=/metrics', `--metrics_port=${metricsPort}`],
  library: [...validating('off'), '--ocpp_compression=off', '--rpc_impl=grpc-js'],
}

const validation = (call: CallName): Row[] => [
  { option: 'off', bridge: 'off', call, compression: 'none' },
  { option: 'validation warn', bridge: 'warn', call, compression: 'none' },
  { option: 'validation strict', bridge: 'strict', call, compression: 'none' },
]
const compression = (call: CallName): Row[] => [
  { option: 'off', bridge: 'off', call, compression: 'declined' },
  { option: 'compression on', bridge: 'compressing', call, compression: 'agreed' },
]
const keptAnswers: Row[] = [
  { option: 'off (DataTransfer)', bridge: 'off', call: 'vendorData', compression: 'none' },
  { option: 'answer kept (MeterValues)', bridge: 'off', call: 'meterValues', compression: 'none' },
]

const metrics: Row[] = [
  { option: 'off', bridge: 'off', call: 'status', compression: 'none' },
  { option: 'metrics', bridge: 'metrics', call: 'status', compression: 'none' },
]

const rpcClients: Row[] = [
  { option: 'off', bridge: 'off', call: 'status', compression: 'none' },
  { option: 'rpc_impl grpc-js', bridge: 'library', call: 'status', compression: 'none' },
]

const blocks: readonly Block[] = [
  { what: 'MeterValues, app is silent', app: 'silent', rows: validation('meterValues') },
  { what: 'MeterValues, app acks', app: 'acked', rows: validation('meterValues') },
  { what: 'Heartbeat', app: 'acked', rows: validation('heartbeat') },
  { what: '2 kB and 2 kB back, deflate offered', app: 'acked', rows: compression('longData') },
  { what: 'MeterValues, deflate offered', app: 'silent', rows: compression('meterValues') },
  { what: 'Heartbeat, deflate offered', app: 'acked', rows: compression('heartbeat') },
  { what: '700 bytes, app is silent', app: 'silent', rows: keptAnswers },
  { what: 'StatusNotification, app acks', app: 'acked', rows: metrics },
  { what: 'StatusNotification, app acks', app: 'acked', rows: rpcClients },
]

/**
 * @param bin the path of the bridge's program
 * @returns the table
 */
export async function measureOptions(bin: string, plan: SpeedPlan, note: (text: string) => void): Promise<string> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const open = (name: keyof typeof flags): Promise<Subject> => openBridge({ name, bin, flags: flags[name] }, app)
  const bridges = {
    off: await open('off'),
    warn: await open('warn'),
    strict: await open('strict'),
    compressing: await open('compressing'),
    metrics: await open('metrics'),
    library: await open('library'),
  }
  const contenders: Contender[] = []
  for (const { app, rows } of blocks) {
    for (const { option, bridge, call, compression } of rows) {
      const group = groupOf({ ...bridges[bridge], compression }, load, `${app}-${contenders.length}`)
      await group.open(Math.max(...plan.stations))
      contenders.push({ name: option, run: (stations, window) => group.measure(call, stations, window) })
    }
  }
  const results = await inTurns(contenders, plan, text => note(`options, ${text}`))
  for (const child of [load, ...Object.values(bridges).map(({ server }) => server), app]) await child.close()
  return tableOf(results)
}

function tableOf(results: ReadonlyMap<number, readonly Column[]>): string {
  const head = ['stations', 'call', 'option', 'calls/s', 'to off', 'CPU µs/call', 'CPU to off']
  const lines: string[][] = []
  for (const [stations, columns] of results) {
    const left = [...columns]
    for (const { what, rows } of blocks) {
      const block = left.splice(0, rows.length)
      const [off] = block
      for (const { name, calls, cpu } of block) {
        const toOff = { calls: ratio(calls, off?.calls ?? []), cpu: ratio(cpu, off?.cpu ?? []) }
        lines.push([String(stations), what, name, spread(calls), toOff.calls, spread(cpu), toOff.cpu])
      }
    }
  }
  return markdownTable(head, lines)
}
