/**
 * The app fails, and the stations have their ledgers: away for 5 s and 30 s, hanging, raising once, raising for ever.
 */
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Perform } from '../../support/performs.ts'
import type { QueueingStation } from '../../support/queueing-station.ts'
import {
  appIsAway,
  assertOutcome,
  openBystander,
  openSite,
  stationsAt,
  warmUp,
  type Disk,
  type Kind,
  type Outcome,
  type Site,
} from './site.ts'

type Failure = {
  readonly name: string
  readonly stations: readonly Kind[]
  readonly outcomes: Readonly<Record<Disk, Outcome>>
  /** Resolves when it is over, or for one that lasts for ever, when it has begun. */
  readonly happens: (site: Site, t: TestContext) => Promise<unknown>
}

const all = ['KEEPING-1.6', 'COUNTING-1.6', 'KEEPING-2.0.1', 'COUNTING-2.0.1'] as const
const ends = ['KEEPING-1.6 StopTransaction', 'KEEPING-2.0.1 TransactionEvent'] as const
const countedEnds = ['COUNTING-1.6 StopTransaction', 'COUNTING-2.0.1 TransactionEvent'] as const

/** The end of a station's second charge, which goes from 20,000 to 20,700 Wh. */
function isSecondEnd({ data }: Perform): boolean {
  const { meterStop, eventType, meterValue } = data['payload'] as {
    readonly meterStop?: number
    readonly eventType?: string
    readonly meterValue?: readonly [{ sampledValue: readonly [{ value: number }] }]
  }
  const wh = meterStop ?? (eventType === 'Ended' ? meterValue?.[0].sampledValue[0].value : undefined)
  return wh === 20_700
}

const away = (ms: number, stores: boolean): Failure => ({
  name: `is away for ${ms / 1000} s`,
  stations: [...all, 'IMPATIENT-1.6'],
  outcomes: { 'without state_dir': { repeats: 'marked' }, 'with state_dir': { repeats: 'marked', stores } },
  happens: async site => {
    await appIsAway(site)
    await sleep(ms)
    await site.app.start()
  },
})

const failures: readonly Failure[] = [
  away(5_000, false),
  away(30_000, true),
  {
    name: 'hangs for 20 s, and then runs what it has got',
    stations: all,
    outcomes: { 'without state_dir': { repeats: 'marked' }, 'with state_dir': { repeats: 'marked', stores: true } },
    happens: async ({ books, sides }, t) => {
      for (const side of sides) openBystander(t, side)
      books.hang = sleep(20_000)
      await books.hang
    },
  },
  {
    name: 'raises once on the end of a charge',
    stations: all,
    outcomes: { 'without state_dir': { repeats: 'marked' }, 'with state_dir': { repeats: 'marked' } },
    happens: ({ books }) => {
      const raised = new Set<unknown>()
      books.fault = perform => {
        if (!isSecondEnd(perform) || raised.has(perform.data['key'])) return
        raised.add(perform.data['key'])
        throw new Error('it raises once')
      }
      return Promise.resolve()
    },
  },
  {
    name: 'raises for ever on the end of a charge',
    stations: all,
    outcomes: {
      'without state_dir': {
        loses: {
          messages: [...ends, ...countedEnds],
          because:
            'an app that raises for ever never books it: the fourth connection answers it with a CALLERROR, and the log has it whole; a station that counts discards it after three sends',
        },
        repeats: 'never',
      },
      'with state_dir': {
        keeps: {
          messages: [...ends, ...countedEnds],
          because: 'the app raises on each delivery: the message stays in the outbox until ocpp_outbox_ttl',
        },
        repeats: 'never',
      },
    },
    happens: ({ books }) => {
      books.fault = perform => {
        if (isSecondEnd(perform)) throw new Error('it raises for ever')
      }
      return Promise.resolve()
    },
  },
]

/** Each message that a station without a counter dropped is in the log, whole. */
function assertLogged({ sides: [side] }: Site, stations: readonly QueueingStation[]): void {
  const lines = side?.bridge.log().filter(line => 'wholeMessage' in line) ?? []
  const named = lines.map(({ station }) => station)
  const dropping = stations.filter(({ id, ledger }) => id.startsWith('KEEPING') && ledger.dropped.length > 0)
  assert.deepEqual(named.toSorted(), dropping.map(({ id }) => id).toSorted()) // prettier-ignore
}

describe('the app', { concurrency: true, timeout: 180_000 }, () => {
  for (const { name, stations: which, outcomes, happens } of failures) {
    test(`the ledgers of all stations are booked when the app ${name}`, async t => {
      const site = await openSite(t)
      const bySide = site.sides.map(side => ({ side, stations: stationsAt(t, side, which) }))
      const stations = bySide.flatMap(each => each.stations)
      if (!name.startsWith('raises')) await warmUp(stations)
      await happens(site, t)
      await warmUp(stations)
      await Promise.all(stations.map(station => station.settle()))
      for (const each of bySide) await assertOutcome(site, each.side, each.stations, outcomes[each.side.disk])
      assertLogged(site, stations)
    })
  }
})
