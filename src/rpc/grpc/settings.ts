/**
 * What both gRPC clients are opened with, and how both keep their connections.
 */
import { defaultLimits, type SizeLimits } from '../transport.ts'
import type { Trust } from '../trust.ts'

export type GrpcSettings = {
  /** `null`: without TLS. */
  readonly trust?: Trust | null
  readonly limits?: SizeLimits
  /** How often an idle connection is pinged. Ruby's server drops a client that pings more often than every 10 s. */
  readonly keepaliveMs?: number
}

export const grpcDefaults = { trust: null, limits: defaultLimits, keepaliveMs: 30_000 } as const

/**
 * Reconnect backoff: before the second attempt, doubled before each further one up to `max`; and the least time between
 * two look-ups of a name. An app that was restarted is found within a second, at a new address too.
 */
export const backoffMs = { initial: 200, max: 1_000, lookup: 1_000 } as const
