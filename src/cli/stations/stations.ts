/**
 * `ocpp-cable stations`: a table on a terminal, tab-separated lines for a program.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { StationSummary } from '../../admin/answers.ts'
import { limits } from '../../admin/limits.ts'
import { elementsOf, membersOf } from '../../ocpp/json.ts'
import { connect } from '../admin/connect.ts'
import type { AdminClient, Answer } from '../admin/client.ts'
import { exits, UsageError, type Call, type Terminal } from '../command.ts'
import type { stations } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { aligned, tabbed } from '../show/table.ts'
import { sinceText } from '../show/time.ts'

type Query = { readonly id: string | null; readonly state: string | null }

const watchMs = 1_000
/** Lines of the screen besides the stations: the header, and the one that counts them. */
const otherLines = 2

export async function run({ words: [id], flags, terminal }: Call<typeof stations>): Promise<number> {
  const { json, watch, state } = flags
  if (watch && json) throw new UsageError('--watch and --json exclude each other')
  if (watch && !terminal.isTerminal) throw new UsageError('--watch needs a terminal')
  const client = connect({ flags, terminal })
  const query = { id: id ?? null, state }
  if (watch) return await watchStations(client, query, terminal)
  const shown: StationSummary[] = []
  for await (const { stations: page, text } of pagesOf(client, query)) {
    if (json) {
      const lines = elementsOf(membersOf(text).get('stations') ?? '[]')
      await terminal.write(lines.map(line => `${escaped(line)}\n`).join(''))
    } else if (terminal.isTerminal) shown.push(...page)
    else await terminal.write(page.map(station => `${tabbed(plainCells(station, query))}\n`).join(''))
  }
  if (!json && terminal.isTerminal) await terminal.write(`${tableOf(shown, query).join('\n')}\n`)
  return exits.done
}

async function* pagesOf(client: AdminClient, query: Query) {
  let cursor: string | null = null
  do {
    const { value, text }: Answer<'listStations'> = await client.ask('listStations', {
      query: { ...query, limit: limits.page, cursor },
    })
    yield { stations: value.stations, text }
    cursor = value.next
  } while (cursor !== null)
}

/** Draws on the screen's other page, line over line: nothing flickers, and the screen is back at the end. */
async function watchStations(client: AdminClient, query: Query, terminal: Terminal): Promise<never> {
  terminal.onExit('\u001b[?25h\u001b[?1049l')
  await terminal.write('\u001b[?1049h\u001b[?25l')
  for (;;) {
    const limit = Math.max(1, Math.min(limits.page, terminal.rows - otherLines))
    const { value } = await client.ask('listStations', { query: { ...query, limit } })
    const lines = tableOf(value.stations, query, terminal.columns)
    const count = `${value.stations.length} of ${value.matched} stations; Ctrl-C ends`
    await terminal.write(`\u001b[H${[...lines, count].map(line => `${line}\u001b[K`).join('\r\n')}\u001b[J`)
    await sleep(watchMs)
  }
}

/** @param columns of the screen */
function tableOf(stations: readonly StationSummary[], query: Query, columns?: number): string[] {
  const now = Date.now()
  const since = (at: string | null): string => (at === null ? '-' : sinceText(at, now))
  const header = ['ID', 'STATE', ...ifTroubled(query, 'TROUBLE'), 'OCPP', 'ADDRESS', 'SINCE', 'LAST MESSAGE', 'SN', 'LEFT BECAUSE'] // prettier-ignore
  const rows = stations.map(station => {
    const { id, state, troubles, version, address, connectedAt, lastMessageAt, sn, leftAt, leftBecause } = station
    return [
      id,
      state,
      ...ifTroubled(query, troubles.join(', ')),
      version ?? '-',
      address ?? '-',
      since(connectedAt ?? leftAt),
      since(lastMessageAt),
      sn ?? '-',
      connectedAt === null ? leftBecause || '-' : '',
    ]
  })
  return aligned(header, rows, columns)
}

/** For programs: times as they are, empty where there is no value. */
function plainCells(station: StationSummary, query: Query): string[] {
  const { id, state, version, address, connectedAt, lastMessageAt, sn, leftAt, leftBecause, troubles } = station
  const cells = [id, state, version, address, connectedAt, lastMessageAt, sn, leftAt, leftBecause]
  return [...cells, ...ifTroubled(query, troubles.join(', '))].map(cell => cell ?? '')
}

/** Only a list of stations in trouble has a column for it. */
function ifTroubled({ state }: Query, cell: string): string[] {
  return state === 'troubled' ? [cell] : []
}
