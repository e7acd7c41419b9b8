/** Limits of connections for tests that are about something else: those of the option table. */
import { limits as group } from '../../src/config/table/limits.ts'

const { options } = group

/** A station's socket. */
export const socketLimits = {
  frameRate: options.frameRate.default,
  unacceptedFrameRate: options.unacceptedFrameRate.default,
  unacceptedMessageSize: options.unacceptedMessageSize.default,
  unfinishedSize: options.unfinishedSize.default,
  messageTimeoutMs: options.messageTimeoutMs.default,
  writeTimeoutMs: options.writeTimeoutMs.default,
} as const

/** An address. */
export const addressLimits = {
  connPerAddress: options.connPerAddress.default,
  upgradeRate: options.upgradeRate.default,
} as const
