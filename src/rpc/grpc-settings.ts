/**
 * What both gRPC clients are opened with, and how both hold their connections.
 */
import { defaultLimits, type SizeLimits } from './transport.ts'
import type { Trust } from './trust.ts'

export type GrpcSettings = {
  /** `null`: without TLS. */
  readonly trust?: Trust | null
  readonly limits?: SizeLimits
  /** How often a connection is tried that is at rest. Ruby's server drops who pings more often than every 10 s. */
  readonly keepaliveMs?: number
}

export const grpcDefaults = { trust: null, limits: defaultLimits, keepaliveMs: 30_000 } as const

/** The rarest that an app which finds pings too frequent is sent them: a dead connection is to be found all the same. */
export const mostKeepaliveMs = 5 * 60_000

/**
 * Before the second attempt to connect, and the most before a further one, for it doubles; between two look-ups of a name.
 * So an app that was restarted is found within a second, under a new address too.
 */
export const pausesMs = { first: 200, most: 1_000, lookup: 1_000 } as const
