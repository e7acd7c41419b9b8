/**
 * Runs rows of the loss matrix. One row is one failure: its stations, of both versions, charge at two bridges side by
 * side, one with `state_dir` and one without. Both bridges have one app, which books by `key`. What the stations made
 * is held against what the app booked, message by message and to the watt-hour.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ScriptedApp } from '../../support/app.ts'
import { Books } from '../../support/books.ts'
import { openBridge, type Bridge } from '../../support/bridge.ts'
import { keepUntil } from '../../support/keep.ts'
import { cliWith } from '../../support/cli.ts'
import { QueueingStation, viaOcppRpc16, viaOcppRpc201, viaOcppTs } from '../../support/queueing-station.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { until } from '../failures/scene.ts'

export const disks = ['without state_dir', 'with state_dir'] as const
export type Disk = (typeof disks)[number]

/** How the messages of one station end that the app has not booked, and why it must be so. */
type Loss = {
  /** By the station's kind and the step of its charge, such as `COUNTING-1.6 StopTransaction`. */
  readonly messages: readonly string[]
  readonly because: string
}

export type Outcome = {
  /** What the app never gets, or not while the failure lasts. */
  readonly loses?: Loss
  /** What the disk still has, with the same words. */
  readonly keeps?: Loss
  /**
   * How a message may reach the app again: not at all, marked by `attempt`, or unmarked under its `key`, which an app
   * that has a unique index on `key` books once.
   */
  readonly repeats: 'never' | 'marked' | 'by key'
  /** Whether messages must have come from the outbox. */
  readonly stores?: boolean
}

export type Side = { readonly disk: Disk; readonly bridge: Bridge; readonly dir: string | null }

export type Site = {
  readonly app: ScriptedApp
  readonly books: Books
  readonly sides: readonly Side[]
}

type SiteOptions = {
  readonly flags?: readonly string[]
  readonly sides?: readonly Disk[]
  /** The directory for `state_dir`. */
  readonly dir?: string
}

export async function openSite(t: TestContext, options: SiteOptions = {}): Promise<Site> {
  const { flags = [], sides: wanted = disks, dir = temporaryDirectory(t) } = options
  const app = await ScriptedApp.start()
  const keep = keepUntil(end => t.after(end))
  keep({ close: () => app.stop() })
  const books = new Books()
  app.always(books.script)
  const sides: Side[] = []
  for (const disk of wanted) {
    const ofDisk = disk === 'with state_dir' ? [`--state_dir=${dir}`] : []
    const bridge = await openBridge([`--rpc_host=${app.host}`, ...ofDisk, ...flags])
    keep({ close: () => bridge.kill('SIGKILL') })
    sides.push({ disk, bridge, dir: ofDisk.length > 0 ? dir : null })
  }
  return { app, books, sides }
}

/** The app's last connection may serve a call for a moment after it has stopped. */
export async function appIsAway({ app, sides }: Site): Promise<void> {
  app.stop()
  for (const { bridge } of sides) await until(async () => (await bridge.get('/ready')).status === 503, 'it is away')
}

const kinds = {
  'KEEPING-1.6': [viaOcppRpc16, {}],
  'COUNTING-1.6': [viaOcppRpc16, { maxAttempts: 3 }],
  'IMPATIENT-1.6': [viaOcppTs, {}],
  'KEEPING-2.0.1': [viaOcppRpc201, {}],
  'COUNTING-2.0.1': [viaOcppRpc201, { maxAttempts: 3 }],
} as const
export type Kind = keyof typeof kinds

/** A station of each kind at each bridge: `KEEPING-1.6-D` is the one at the bridge with the disk. */
export function stationsAt(t: TestContext, side: Side, which: readonly Kind[], isManual = false): QueueingStation[] {
  const suffix = side.dir === null ? '' : '-D'
  return which.map((kind, phase) => {
    const [client, habits] = kinds[kind]
    const station = new QueueingStation(`${kind}${suffix}`, () => side.bridge.url, client, {
      ...habits,
      isManual,
      phase,
    })
    t.after(() => station.close())
    return station
  })
}

/** Resolves when each station has made and confirmed a whole charge: the app has accepted it before the failure. */
export async function warmUp(stations: readonly QueueingStation[]): Promise<void> {
  const isWarm = ({ ledger: { charges, queue } }: QueueingStation): boolean =>
    charges.length > 1 && !queue.some(({ charge }) => charge.number === 1)
  await until(() => stations.every(isWarm), 'each station has charged once')
}

/** Resolves when each station has begun and confirmed one more charge. */
export async function chargeAgain(stations: readonly QueueingStation[]): Promise<void> {
  const next = stations.map(({ ledger: { charges } }) => charges.length + 1)
  const hasCharged = ({ ledger: { charges, queue } }: QueueingStation, at: number): boolean =>
    charges.length > (next[at] ?? 0) && !queue.some(({ charge }) => charge.number <= (next[at] ?? 0))
  await until(() => stations.every(hasCharged), 'each station has charged once more')
}

/** Ends all charges, waits for what the bridge still has, and compares. */
export async function assertOutcome(
  site: Site,
  side: Side,
  stations: readonly QueueingStation[],
  { loses, keeps, repeats, stores = false }: Outcome,
): Promise<void> {
  await Promise.all(stations.map(station => station.settle()))
  const ledgers = stations.map(({ ledger }) => ledger)
  const expected = [...(loses?.messages ?? []), ...(keeps?.messages ?? [])].toSorted()
  const wordsOf = (facts: readonly string[]): string[] => facts.map(wordOf).toSorted()
  const lost = (): readonly string[] => site.books.audit(ledgers).lost
  await until(() => lost().length <= expected.length, `the app gets the rest: ${String(lost())}`)
  let kept = await keptIn(side)
  const isRest = async (): Promise<boolean> => (kept = await keptIn(side)).length <= (keeps?.messages.length ?? 0)
  await until(isRest, 'the disk has nothing else')
  await Promise.all(stations.map(station => station.close()))
  const found = site.books.audit(ledgers)
  assert.deepEqual(wordsOf(found.lost), expected, `${side.disk}: what the app does not have`)
  assert.equal(kept.length, keeps?.messages.length ?? 0, `${side.disk}: what the disk has: ${String(kept)}`)
  assert.deepEqual(wordsOf(ledgers.flatMap(({ dropped }) => dropped)), [...(loses?.messages ?? [])].toSorted())
  assert.deepEqual(found.doubled, [], `${side.disk}: one key for each message`)
  assert.deepEqual(found.disordered, [], `${side.disk}: in the order of each transaction`)
  if (repeats !== 'by key') assert.deepEqual(found.unmarked, [], `${side.disk}: a further delivery has attempt`)
  if (repeats === 'never') assert.deepEqual(found.marked, [], `${side.disk}: nothing comes twice`)
  assert.deepEqual(found.booked.toSorted(), found.charged.toSorted(), `${side.disk}: to the watt-hour`)
  const hasStored = site.books.rows.some(
    ({ stationId, isStored }) => isStored && ledgers.some(ledger => ledger.stationId === stationId),
  )
  if (stores) assert.ok(hasStored, 'some messages came from the outbox')
  assert.ok(found.charged.length >= stations.length, 'each station has charged')
}

/** `KEEPING-1.6-D StopTransaction 2026…` without its suffix and its time. */
function wordOf(fact: string): string {
  const [station = '', action = ''] = fact.split(' ')
  return `${station.replace(/-D$/, '')} ${action}`
}

/** The lines of `ocpp-cable outbox list`. */
async function keptIn({ dir }: Side): Promise<readonly string[]> {
  if (dir === null) return []
  const { stdout, stderr } = await cliWith({}).run('outbox', 'list', `--state_dir=${dir}`, '--ignore-config-path')
  assert.equal(stderr, '')
  return stdout.split('\n').filter(line => line !== '')
}

/**
 * A station that changes its status once a second, as some station of a fleet does: the app has somebody to reply to.
 */
export function openBystander(t: TestContext, { bridge }: Side): void {
  let isOpen = true
  t.after(() => (isOpen = false))
  const status = { connectorId: 1, errorCode: 'NoError', status: 'Available' } as const
  const report = async (): Promise<void> => {
    const link = await viaOcppRpc16.connect(bridge.url, 'BYSTANDER')
    while (isOpen) {
      await link.call('StatusNotification', status).catch(() => undefined)
      await sleep(1_000)
    }
    await link.close()
  }
  report().catch(() => undefined) // the bridge is killed at the end
}
