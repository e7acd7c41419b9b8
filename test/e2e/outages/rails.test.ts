/**
 * The real gem, with its app killed for a while and the bridge killed meanwhile: what both kinds of stations made is in
 * the app's own file.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { transactionActions } from '../../support/books.ts'
import { openBridge } from '../../support/bridge.ts'
import { keepUntil } from '../../support/keep.ts'
import { audit, type Row } from '../../support/ledger.ts'
import { QueueingStation, viaOcppRpc16, viaOcppRpc201 } from '../../support/queueing-station.ts'
import { openRails, type LedgerEntry } from '../../support/rails.ts'
import { temporaryDirectory } from '../../support/store.ts'
import { until } from '../failures/scene.ts'
import { warmUp } from './site.ts'

const actions = new Map(transactionActions.map(action => [underscored(action), action]))
/** One channel for every version. */
const channel = ['--ocpp_channel=OCPPReceiveChannel', '--ocpp_granular_actions=false']

/** Whether the station has sent a reading, and not yet the end of that charge. */
function isCharging({ ledger: { charges, queue } }: QueueingStation): boolean {
  return charges.at(-1)?.messages.length === 2 && queue.length <= 1
}

function underscored(action: string): string {
  return action.replaceAll(/(?<!^)[A-Z]/g, letter => `_${letter}`).toLowerCase()
}

function rowsOf(entries: readonly LedgerEntry[]): Row[] {
  return entries.flatMap(({ event, station, key, payload, attempt, number, storedAt }) => {
    const action = actions.get(event)
    if (action === undefined || payload === undefined) return []
    return {
      stationId: station,
      action,
      key,
      payload,
      attempt,
      transactionId: number,
      isStored: storedAt !== undefined,
    }
  })
}

for (const disk of ['with state_dir', 'without state_dir'] as const) {
  test(
    `the ledgers of both versions are booked by the real gem when its app and the bridge are killed, ${disk}`,
    { timeout: 180_000 },
    async t => {
      const keep = keepUntil(end => t.after(end))
      const rails = keep(await openRails())
      const ofDisk = disk === 'with state_dir' ? [`--state_dir=${temporaryDirectory(t)}`] : []
      const bridge = await openBridge([`--rpc_host=127.0.0.1:${rails.rpcPort}`, ...channel, ...ofDisk])
      keep({ close: () => bridge.kill('SIGKILL') })
      const clients = { 'CP-1.6': viaOcppRpc16, 'CP-2.0.1': viaOcppRpc201 }
      const stations = Object.entries(clients).map(([id, client]) =>
        keep(new QueueingStation(id, () => bridge.url, client, { maxAttempts: 3 })),
      )
      await warmUp(stations)
      await until(() => stations.some(isCharging), 'the next message of a station is one that can be stored')
      await rails.kill('SIGKILL')
      await sleep(7_000)
      await bridge.restart()
      await sleep(3_000)
      await rails.restart()
      await Promise.all(stations.map(station => station.settle()))
      const ledgers = stations.map(({ ledger }) => ledger)
      await until(() => audit(ledgers, rowsOf(rails.ledger())).lost.length === 0, 'all is booked')
      const rows = rowsOf(rails.ledger())
      const { lost, doubled, disordered, charged, booked } = audit(ledgers, rows)
      assert.deepEqual({ lost, doubled, disordered }, { lost: [], doubled: [], disordered: [] })
      assert.deepEqual(ledgers.flatMap(({ dropped }) => dropped), []) // prettier-ignore
      assert.deepEqual(booked.toSorted(), charged.toSorted())
      const late = new Set(rows.filter(({ isStored }) => isStored).map(({ stationId }) => stationId))
      if (disk === 'with state_dir') assert.ok(late.size > 0, 'some messages came from the outbox')
    },
  )
}
