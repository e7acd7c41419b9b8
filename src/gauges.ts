/**
 * The gauges: read from their owners when the metrics are scraped, so that no message pays for them.
 */
import type { Config } from './config/rules.ts'
import { census } from './fleet/census.ts'
import type { Disconnects } from './fleet/disconnects.ts'
import type { Hub } from './fleet/hub.ts'
import type { Backlog } from './fleet/outbox/backlog.ts'
import type { EventLoopDelay } from './ops/event-loop/delay.ts'
import type { Gauges, Sample } from './ops/metric-table.ts'
import type { Guard } from './rpc/guard/guard.ts'
import type { Tls } from './server/tls/tls.ts'
import type { Readiness } from './server/requests.ts'
import { inboxLimits } from './session/inbox.ts'

export type GaugeSources = {
  readonly config: {
    readonly lifecycle: Pick<Config['lifecycle'], 'disconnectBacklogSize'>
    readonly ocpp: Pick<Config['ocpp'], 'callQueue' | 'outboxSize'>
  }
  readonly hub: Pick<Hub, 'size' | 'streamCount' | 'members'> & {
    readonly backlog: Pick<Backlog, 'messages' | 'bytes' | 'oldestSeconds'> | null
  }
  readonly disconnects: Pick<Disconnects, 'size'>
  readonly rpc: Pick<Guard, 'pending' | 'capacity' | 'fullest'>
  /** The limit on stations; `Infinity` for none. */
  readonly room: number
  readonly readiness: () => Readiness
  /** `null` where `state_dir` is not set. */
  readonly memory: {
    readonly isOpen: boolean
    readonly queue: { readonly size: number; readonly limit: number }
  } | null
  readonly certificates: readonly Pick<Tls, 'expiries'>[]
  readonly eventLoop: Pick<EventLoopDelay, 'read'>
}

type QueueName = Sample<'queue_size'>[0]['queue']

export function gaugesOf(sources: GaugeSources): Gauges {
  const { hub, disconnects, rpc, certificates, eventLoop } = sources
  return {
    clients_num: () => hub.size,
    broadcast_streams_num: () => hub.streamCount,
    disconnect_queue_size: () => disconnects.size,
    rpc_pending_num: () => rpc.pending,
    rpc_capacity_num: () => rpc.capacity,
    state_open_num: () => Number(sources.memory?.isOpen === true),
    ocpp_outbox_messages_num: () => hub.backlog?.messages ?? 0,
    ocpp_outbox_oldest_seconds: () => hub.backlog?.oldestSeconds ?? 0,
    ocpp_stations_num: () => census(hub.members).stations,
    queue_size: () => samplesOf(sizesOf(sources)),
    queue_limit: () => samplesOf(limitsOf(sources)).filter(([, limit]) => limit < Infinity),
    ready: () =>
      Object.entries(sources.readiness()).map(([part, isReady]) => [{ part: part as 'rpc' | 'nats' }, Number(isReady)]),
    certificate_expiry_timestamp_seconds: () =>
      certificates.flatMap(({ expiries }) => expiries).map(({ file, kind, until }) => [{ file, kind }, until]),
    event_loop_delay_seconds: () => eventLoop.read(),
  }
}

function sizesOf({ hub, disconnects, rpc, memory }: GaugeSources): Record<QueueName, number> {
  const { commands, messages } = census(hub.members).most
  const outbox = hub.backlog?.bytes ?? 0
  const store = memory?.queue.size ?? 0
  return { stations: hub.size, rpc: rpc.fullest.size, disconnects: disconnects.size, outbox, store, commands, messages }
}

function limitsOf({ config, hub, rpc, room, memory }: GaugeSources): Record<QueueName, number> {
  return {
    stations: room,
    rpc: rpc.fullest.limit,
    disconnects: config.lifecycle.disconnectBacklogSize,
    outbox: hub.backlog === null ? Infinity : config.ocpp.outboxSize,
    store: memory?.queue.limit ?? Infinity,
    commands: config.ocpp.callQueue,
    messages: inboxLimits.entries,
  }
}

function samplesOf(values: Record<QueueName, number>): Sample<'queue_size'>[] {
  return Object.entries(values).map(([queue, value]) => [{ queue: queue as QueueName }, value])
}
