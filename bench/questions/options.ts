/**
 * What do options cost: the same calls to bridges that differ only in their flags, each compared with one without the
 * option.
 */
import type { Answer, Note } from '../answer.ts'
import type { CallName } from '../calls.ts'
import { openServer, openWorker } from '../children.ts'
import type { Compression } from '../dialects.ts'
import { groupOf, type Group } from '../group.ts'
import type { Speed, Window } from '../measure.ts'
import { openBridge, type Subject } from '../subjects.ts'
import { markdownTable, median, ratio, spread } from '../table.ts'
import { inTurns } from '../turns.ts'

export type OptionsPlan = { readonly rounds: number; readonly stations: number; readonly window: Window }

/** Rows that are compared with the first one. */
type Block = { readonly what: string; readonly rows: readonly Row[] }

type Row = {
  readonly option: string
  readonly bridge: keyof typeof flags
  readonly call: CallName
  readonly compression: Compression
}

type Contender = { readonly what: string; readonly row: Row; readonly group: Group }
type Results = ReadonlyMap<Contender, readonly Speed[]>

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

const row = (option: string, bridge: keyof typeof flags, call: CallName, compression: Compression = 'none'): Row => ({
  option,
  bridge,
  call,
  compression,
})
const validation = (call: CallName): Row[] => [
  row('off', 'off', call),
  row('validation warn', 'warn', call),
  row('validation strict', 'strict', call),
]
const compression = (call: CallName): Row[] => [
  row('off', 'off', call, 'declined'),
  row('compression on', 'compressing', call, 'agreed'),
]

const blocks: readonly Block[] = [
  { what: 'MeterValues, app acks', rows: validation('meterValues') },
  { what: 'Heartbeat', rows: validation('heartbeat') },
  { what: '2 kB and 2 kB back, deflate offered', rows: compression('longData') },
  { what: 'Heartbeat, deflate offered', rows: compression('heartbeat') },
  {
    what: 'StatusNotification, app acks',
    rows: [
      row('off', 'off', 'status'),
      row('metrics', 'metrics', 'status'),
      row('rpc_impl grpc-js', 'library', 'status'),
    ],
  },
]

/** @param bin the path of the bridge's program */
export async function measureOptions(bin: string, plan: OptionsPlan, note: Note): Promise<Answer> {
  const app = await openServer('./stub-app.ts')
  const load = openWorker('./load.ts')
  const bridges = new Map<string, Subject>()
  for (const [name, each] of Object.entries(flags)) bridges.set(name, await openBridge({ name, bin, flags: each }, app))
  const contenders: Contender[] = []
  for (const { what, rows } of blocks) {
    for (const row of rows) {
      const subject = bridges.get(row.bridge)
      if (subject === undefined) throw new Error(`${row.bridge} is not open`)
      const group = groupOf({ ...subject, compression: row.compression }, load, `CP-${contenders.length}`)
      await group.open(plan.stations)
      contenders.push({ what, row, group })
    }
  }
  const run = ({ group, row }: Contender): Promise<Speed> => group.measure(row.call, plan.stations, plan.window)
  const results = await inTurns(contenders, plan.rounds, run, text => note(`options, ${text}`))
  for (const child of [load, ...[...bridges.values()].map(({ server }) => server), app]) await child.close()
  return { name: 'options', table: tableOf(results), plot: plotOf(results) }
}

/** The rows with their own CPU times, and those of the first of their block. */
function comparedIn(
  results: Results,
): { contender: Contender; speeds: readonly Speed[]; own: number[]; off: number[] }[] {
  const cpuOf = (speeds: readonly Speed[]): number[] => speeds.map(({ cpuMicrosPerCall }) => cpuMicrosPerCall)
  return [...results].map(([contender, speeds]) => {
    const [, first = []] = [...results].find(([{ what }]) => what === contender.what) ?? []
    return { contender, speeds, own: cpuOf(speeds), off: cpuOf(first) }
  })
}

function tableOf(results: Results): string {
  const lines = comparedIn(results).map(({ contender: { what, row }, speeds, own, off }) => {
    const calls = speeds.map(({ callsPerSecond }) => callsPerSecond)
    return [what, row.option, spread(calls), spread(own), ratio(own, off)]
  })
  return markdownTable(['call', 'option', 'calls/s', 'CPU µs/call', 'CPU to off'], lines)
}

function plotOf(results: Results): Answer['plot'] {
  const compared = comparedIn(results).filter(({ own, off }) => own.some((value, at) => value !== off[at]))
  return {
    title: 'CPU of the bridge with an option, to the same without it',
    groups: compared.map(({ contender: { what, row } }) => `${what}: ${row.option}`),
    series: [
      {
        name: 'ratio',
        values: compared.map(({ own, off }) => median(own.map((value, at) => value / (off[at] ?? NaN)))),
      },
    ],
  }
}
