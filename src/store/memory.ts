/**
 * What a restart would forget, kept in the store: the serial numbers of stations, and the answers to StartTransactions.
 */
import { membersOf } from '../ocpp/json.ts'
import type { DurableMemory, OutboxAdmin, World } from '../session/ports.ts'
import type { StationId } from '../translate/handshake.ts'
import { openCredentials } from './credentials.ts'
import { StoreError } from './errors.ts'
import type { StoredStart } from './operations.ts'
import { outboxAdminOf, outboxOf } from './outbox.ts'
import { openStore, type Store } from './store.ts'

/** For how long the answer to a StartTransaction is kept: as long as in memory, docs/protocol.md "Retries". */
const startLifeMs = 15 * 60_000

/**
 * Opens what the last process has left. Never rejects: where the store cannot be opened, the bridge goes on without one.
 *
 * @param outboxSize in bytes
 * @param open replaced in tests
 */
export async function openMemory(
  dir: string,
  outboxSize: number,
  { meter, log, once, date }: Pick<World, 'meter' | 'log' | 'once' | 'date'>,
  open: (dir: string) => Promise<Store> = openStore,
): Promise<DurableMemory & { readonly outboxAdmin: OutboxAdmin | null; close(): Promise<void> }> {
  const onFailure = (error: unknown): void => {
    meter.count('state_error_total', { code: codeOf(error) })
    once(`state ${codeOf(error)}`, { error }, 'state_dir failed: a restart will forget what was not kept')
  }
  const since = date().getTime() - startLifeMs
  const { store, serialNumbers, starts, accepted, stations } = await load(dir, since, open, onFailure).catch(
    (error: unknown) => {
      meter.count('state_error_total', { code: codeOf(error) })
      log.error({ error }, 'state_dir cannot be used: the bridge goes on without it, and a restart will forget')
      return { store: null, serialNumbers: [], starts: [], accepted: null, stations: [] }
    },
  )
  if (store !== null) log.info({ dir, stations: serialNumbers.length }, 'state_dir is open')
  const written = (): void => meter.count('state_write_total')
  return {
    serialNumbers: serialNumbers as [StationId, string][],
    starts: starts.map(keptStart),
    durableOutbox:
      accepted === null
        ? null
        : { outbox: outboxOf(store, outboxSize), accepted, stations: stations as StationId[], onFailure },
    outboxAdmin: accepted === null ? null : outboxAdminOf(store),
    keepSerialNumber: (stationId, serialNumber) => {
      store?.call('keepSerialNumber', stationId, serialNumber, date().getTime()).then(written, onFailure)
    },
    keepStart: start => {
      const now = date().getTime()
      store?.call('keepStart', storedStart(start), now, now - startLifeMs).then(written, onFailure)
    },
    dropStart: (stationId, transactionId) => {
      store?.call('dropStart', stationId, transactionId).then(written, onFailure)
    },
    close: async () => store?.close(),
  }
}

async function load(
  dir: string,
  since: number,
  open: (dir: string) => Promise<Store>,
  onFailure: (error: unknown) => void,
) {
  const store = await open(dir)
  try {
    const [serialNumbers, starts] = [await store.call('serialNumbers'), await store.call('starts', since)]
    const [accepted, stations] = [await openCredentials(store, onFailure), await store.call('pendingStations')]
    return { store, serialNumbers, starts, accepted, stations }
  } catch (error) {
    await store.close()
    throw error
  }
}

function codeOf(error: unknown): StoreError['code'] {
  return error instanceof StoreError ? error.code : 'io'
}

type KeptStart = DurableMemory['starts'][number]

function storedStart({ stationId, key, content, answer }: KeptStart): StoredStart {
  const transactionId = answer.kind === 'callResult' ? (membersOf(answer.payload).get('transactionId') ?? null) : null
  return { station: stationId, key, content, transactionId, answer: JSON.stringify(answer) }
}

function keptStart({ station, key, content, answer }: StoredStart): KeptStart {
  return { stationId: station as StationId, key, content, answer: JSON.parse(answer) as KeptStart['answer'] }
}
