/**
 * Transaction messages that wait on the disk for an app that is away.
 */
import type { AppSession, Outbox, OutboxAdmin } from '../session/ports.ts'
import type { Store } from './store.ts'

/** Of the outbox: beyond it, MeterValues are refused, so that the ends of transactions still fit. */
const shareOfMeterValues = 0.8

/** @param maxBytes of payloads, and 500 for each message */
export function outboxOf(store: Pick<Store, 'call'>, maxBytes: number): Outbox {
  return {
    append: message =>
      store.call('append', message, message.action === 'MeterValues' ? maxBytes * shareOfMeterValues : maxBytes),
    pendingOf: (stationId, afterSeq = 0) => store.call('pendingOf', stationId, afterSeq),
    delivered: seq => store.call('delivered', seq),
    failed: (seq, attempts, nextAttemptAt, error) => store.call('failed', seq, attempts, nextAttemptAt, error),
    deadLetter: (seq, reason) => store.call('deadLetter', seq, reason, Date.now()),
    keepSession: (stationId, session) => store.call('keepSession', stationId, JSON.stringify(session)),
    sessionOf: async stationId => {
      const session = await store.call('appSession', stationId)
      return session === null ? null : (JSON.parse(session) as AppSession)
    },
    size: () => store.call('outboxSize'),
  }
}

export function outboxAdminOf(store: Pick<Store, 'call'>): OutboxAdmin {
  return {
    list: filter => store.call('outboxList', filter),
    find: seq => store.call('outboxFind', seq),
    retry: seqs => store.call('outboxRetry', seqs),
    drop: seqs => store.call('outboxDrop', seqs),
  }
}
