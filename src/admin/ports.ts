/**
 * What the admin API needs of the rest of the bridge.
 */
import type { Version } from '../ocpp/version.ts'
import type { Departure, Member, RefusedUpgrade } from '../session/ports.ts'
import type { Proof } from '../translate/certificate.ts'
import type { StationId } from '../translate/handshake.ts'
import type { TypeOf } from './shapes.ts'
import type * as answers from './answers.ts'

/** All stations. */
export interface Stations {
  readonly size: number
  readonly streamCount: number
  readonly claims: {
    stationIds(): Iterable<StationId>
    current(stationId: StationId): Member | null
  }
  readonly departures: {
    readonly size: number
    stationIds(): Iterable<StationId>
    leftOf(stationId: StationId): Departure | null
    refusedOf(stationId: StationId): RefusedUpgrade | null
  }
  readonly known: {
    readonly proofs: {
      of(stationId: StationId): Proof | null
      readonly mayDowngrade: (stationId: StationId) => boolean
    }
    /** In ms; `null` if none is known. */
    heartbeatIntervalOf(stationId: StationId): number | null
  }
  /** `null` where nothing can be stored. */
  readonly backlog: {
    readonly messages: number
    readonly oldestSeconds: number
    has(stationId: StationId): boolean
    /** The messages of these stations are due now. */
    wake(stationIds: readonly StationId[]): void
  } | null
  streamsOf(member: Member): readonly string[]
}

/** What was counted since the bridge was started. */
export type Counts = {
  /** Messages. */
  readonly received: number
  readonly sent: number
  readonly errors: number
  readonly rpcCalls: number
  readonly rpcErrors: number
  readonly rpcDurations: {
    /** Of all calls together. */
    readonly seconds: number
    /** How many calls each bucket has; the last one is for all that took longer. */
    readonly inBuckets: readonly number[]
    /** Where the buckets end, in seconds. */
    readonly bounds: readonly number[]
  }
}

/** What only the composition root knows. */
export type Facts = {
  readonly version: string
  readonly nodeId: string
  readonly callTimeoutMs: number
  readonly options: TypeOf<typeof answers.config>['options']
  readiness(): Readonly<Record<string, boolean>>
  rpc(): { readonly away: boolean; readonly capacity: number; readonly pending: number }
  disconnects(): number
  counts(): Counts
  /** Lines of the log at warn or error, as JSON, the latest last. */
  warnings(): readonly string[]
  /** An official schema, without references; `null` if there is none. */
  schemaOf(version: Version, action: string, message: 'request' | 'response'): object | null
}
