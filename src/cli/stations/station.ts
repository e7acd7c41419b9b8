/**
 * `ocpp-cable station`: everything known about one station, the last errors first.
 */
import type { StationView } from '../../admin/answers.ts'
import { connect } from '../admin/connect.ts'
import { exits, type Call, type Terminal } from '../command.ts'
import type { station } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { paint } from '../show/paint.ts'
import { aligned } from '../show/table.ts'
import { durationText, sinceText } from '../show/time.ts'

export async function run({ words: [id = ''], flags, terminal }: Call<typeof station>): Promise<number> {
  const { value, text } = await connect({ flags, terminal }).ask('getStation', { in: id })
  const shown = flags.json ? escaped(text.trim()) : linesOf(value, Date.now(), terminal).join('\n')
  await terminal.write(`${shown}\n`)
  return exits.done
}

type Fact = readonly [label: string, value: string | number | null]

function linesOf(view: StationView, now: number, terminal: Terminal): string[] {
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['Last errors', errorLines(view, now)],
    ['Connection', facts(connectionFacts(view, now))],
    ['Remembered', facts(rememberedFacts(view))],
    ['Open calls', callLines(view)],
    ['Queues', facts(queueFacts(view))],
    ['Messages on this connection', countLines(view)],
  ]
  const title = [view.id, view.state, ...(view.version === null ? [] : [`OCPP ${view.version}`])]
  return [
    title.map(part => escaped(part)).join('  '),
    ...sections
      .filter(([, lines]) => lines.length > 0)
      .flatMap(([name, lines]) => ['', paint(name, 1, terminal), ...lines.map(line => `  ${line}`)]),
  ]
}

/** The latest first. */
function errorLines({ errors, lastRefusal, lastEnd }: StationView, now: number): string[] {
  const rows = [
    ...errors.map(({ at, from, action, code, description, cause }) => ({
      at,
      cells: [
        `${action} got CALLERROR ${code}`,
        [
          ...(description === '' ? [] : [`"${description}"`]),
          `from the ${from}`,
          ...(cause === from ? [] : [`cause: ${cause}`]),
        ].join(', '),
      ],
    })),
    ...(lastRefusal === null
      ? []
      : [
          {
            at: lastRefusal.at,
            cells: [`upgrade refused with ${lastRefusal.status}`, `${lastRefusal.reason}, from ${lastRefusal.address}`],
          },
        ]),
    ...(lastEnd === null ? [] : [{ at: lastEnd.at, cells: [`connection ended with ${lastEnd.code}`, lastEnd.reason] }]),
  ].toSorted((one, other) => Date.parse(other.at) - Date.parse(one.at))
  return withoutHeader(rows.map(({ at, cells }) => [`${sinceText(at, now)} ago`, ...cells]))
}

function connectionFacts(view: StationView, now: number): readonly Fact[] {
  const since = (at: string | null): string | null => (at === null ? null : `${sinceText(at, now)} ago, ${at}`)
  return [
    ['connected', since(view.connectedAt)],
    ['last message', since(view.lastMessageAt)],
    ['left', since(view.leftAt)],
    ['left because', view.leftBecause],
    ['address', view.address],
    ['TLS', view.tls === null ? null : view.tls ? 'yes' : 'no'],
    ['security profile', view.profile],
    ['sn', view.sn],
    ['sid', view.sid],
    ['url', view.url],
    ['streams', view.streams.join(', ')],
  ]
}

/** Shows how to lift it: operators look here after a refusal. */
function rememberedFacts({ id, remembered }: StationView): readonly Fact[] {
  if (remembered === null) return []
  const { profile, serialNumber, mayDowngrade } = remembered
  const remedy = mayDowngrade
    ? 'less is allowed by ocpp_profile_downgrade'
    : `with less it is refused, unless ocpp_profile_downgrade=${id}`
  return [
    ['security profile', profile === 0 ? null : `${profile}; ${remedy}`],
    ['serial number of its certificate', serialNumber],
  ]
}

function callLines({ calls: { fromStation, toStation } }: StationView): string[] {
  const row =
    (direction: string) =>
    ({ action, id, seconds }: (typeof fromStation)[number]): string[] => [
      direction,
      action,
      id,
      seconds === null ? 'waits to be sent' : `open for ${durationText(seconds)}`,
    ]
  return withoutHeader([...fromStation.map(row('from the station')), ...toStation.map(row('to the station'))])
}

function queueFacts({ queues }: StationView): readonly Fact[] {
  const { messages, messageBytes, isPaused, commands, outcomes, stored } = queues
  return [
    [
      'messages for the app',
      messages === 0 ? null : `${messages}, ${messageBytes} bytes${isPaused ? '; the socket is paused' : ''}`,
    ],
    ['commands to send', commands || null],
    ['outcomes for the app', outcomes || null],
    ['outbox', stored ? 'has messages of this station: see ocpp-cable outbox list' : null],
  ]
}

function countLines({ counts: { fromStation, toStation } }: StationView): string[] {
  const rows = (direction: string, counts: Readonly<Record<string, number>>): string[][] =>
    Object.entries(counts).map(([action, count]) => [direction, action, String(count)])
  return withoutHeader([...rows('from the station', fromStation), ...rows('to the station', toStation)])
}

/** Those that have a value. */
function facts(all: readonly Fact[]): string[] {
  const known = all.filter(([, value]) => value !== null && value !== '')
  return withoutHeader(known.map(([label, value]) => [label, String(value)]))
}

function withoutHeader(rows: readonly string[][]): string[] {
  return aligned(['', '', '', ''], rows).slice(1)
}
