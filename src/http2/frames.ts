/**
 * Frames of HTTP/2: their numbers, and the payloads of all frames but DATA and HEADERS.
 *
 * Pure: no I/O, no clock. What a server may not send throws `Http2Error`.
 * Spec: RFC 9113 §4, §6 and §7.
 */

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flagBits = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
} as const

/** Of length, type, flags and stream id. */
export const frameHeadBytes = 9
/** The least that a peer accepts, and the most that this client accepts. */
export const defaultMaxFrameBytes = 2 ** 14
/** Before SETTINGS and WINDOW_UPDATE say otherwise. */
export const defaultWindowBytes = 65_535
export const maxWindowBytes = 2 ** 31 - 1
export const maxStreamId = 2 ** 31 - 1

/** Ends the connection, or only the stream where it has a `streamId`. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error'
  readonly code: number
  readonly streamId: number | null

  constructor(code: keyof typeof errorCodes, message: string, streamId: number | null = null) {
    super(message)
    this.code = errorCodes[code]
    this.streamId = streamId
  }
}

/** What the server allows; the defaults apply until its SETTINGS have come. */
export type PeerSettings = {
  headerTableBytes: number
  maxStreams: number
  windowBytes: number
  maxFrameBytes: number
  maxHeaderListBytes: number
}

/** One value of SETTINGS; a frame may have several of a name, which apply in order (RFC 9113 §6.5.3). */
export type SettingChange = readonly [name: keyof PeerSettings, value: number]

export const defaultPeerSettings: Readonly<PeerSettings> = {
  headerTableBytes: 4096,
  maxStreams: Infinity,
  windowBytes: defaultWindowBytes,
  maxFrameBytes: defaultMaxFrameBytes,
  maxHeaderListBytes: Infinity,
}

/** Numbers of the settings that this client sends. */
const enablePush = 2
const initialWindowSize = 4
const maxHeaderListSize = 6

/** By the number of the setting. */
const settingNames = new Map<number, keyof PeerSettings>([
  [1, 'headerTableBytes'],
  [3, 'maxStreams'],
  [initialWindowSize, 'windowBytes'],
  [5, 'maxFrameBytes'],
  [maxHeaderListSize, 'maxHeaderListBytes'],
])

export type ControlFrame =
  | { readonly kind: 'settings'; readonly changes: readonly SettingChange[] }
  | { readonly kind: 'ping'; readonly payload: Buffer }
  | { readonly kind: 'goaway'; readonly lastStreamId: number; readonly code: number }
  | { readonly kind: 'windowUpdate'; readonly increment: number }
  | { readonly kind: 'rstStream'; readonly code: number }
  | { readonly kind: 'settingsAck' | 'pong' | 'ignored' }

/** Reads a frame that is neither DATA nor HEADERS nor the CONTINUATION of one. */
export function parseControlFrame(type: number, flags: number, streamId: number, payload: Buffer): ControlFrame {
  const isAck = (flags & flagBits.ack) !== 0
  switch (type) {
    case frameTypes.settings:
      checkFrame('SETTINGS', streamId === 0, isAck ? payload.length === 0 : payload.length % 6 === 0)
      return isAck ? { kind: 'settingsAck' } : { kind: 'settings', changes: parseSettings(payload) }
    case frameTypes.ping:
      checkFrame('PING', streamId === 0, payload.length === 8)
      return isAck ? { kind: 'pong' } : { kind: 'ping', payload }
    case frameTypes.goaway:
      checkFrame('GOAWAY', streamId === 0, payload.length >= 8)
      return {
        kind: 'goaway',
        lastStreamId: payload.readUInt32BE(0) & maxStreamId,
        code: payload.readUInt32BE(4),
      }
    case frameTypes.windowUpdate:
      checkFrame('WINDOW_UPDATE', true, payload.length === 4)
      return { kind: 'windowUpdate', increment: incrementOf(payload, streamId) }
    case frameTypes.rstStream:
      checkFrame('RST_STREAM', streamId !== 0, payload.length === 4)
      return { kind: 'rstStream', code: payload.readUInt32BE(0) }
    case frameTypes.priority:
      checkFrame('PRIORITY', streamId !== 0, true)
      if (payload.length !== 5) throw new Http2Error('frameSizeError', 'PRIORITY of a wrong length', streamId)
      return { kind: 'ignored' }
    case frameTypes.pushPromise:
      throw new Http2Error('protocolError', 'PUSH_PROMISE, although push is off')
    case frameTypes.continuation:
      throw new Http2Error('protocolError', 'CONTINUATION without HEADERS')
    default:
      // RFC 9113 §4.1: unknown types must be ignored.
      return { kind: 'ignored' }
  }
}

function checkFrame(name: string, isRightStream: boolean, isRightLength: boolean): void {
  if (!isRightStream) throw new Http2Error('protocolError', `${name} on a wrong stream`)
  if (!isRightLength) throw new Http2Error('frameSizeError', `${name} of a wrong length`)
}

/** Unknown settings must be ignored (RFC 9113 §6.5.2). */
function parseSettings(payload: Buffer): SettingChange[] {
  const changes: SettingChange[] = []
  for (let at = 0; at < payload.length; at += 6) {
    const number = payload.readUInt16BE(at)
    const value = payload.readUInt32BE(at + 2)
    const name = settingNames.get(number)
    if (number === enablePush && value !== 0) throw new Http2Error('protocolError', 'a server must not enable push')
    if (name === 'windowBytes' && value > maxWindowBytes)
      throw new Http2Error('flowControlError', 'SETTINGS_INITIAL_WINDOW_SIZE above the maximum')
    if (name === 'maxFrameBytes' && (value < defaultMaxFrameBytes || value >= 2 ** 24))
      throw new Http2Error('protocolError', 'SETTINGS_MAX_FRAME_SIZE out of its range')
    if (name !== undefined) changes.push([name, value])
  }
  return changes
}

function incrementOf(payload: Buffer, streamId: number): number {
  const increment = payload.readUInt32BE(0) & maxWindowBytes
  if (increment > 0) return increment
  throw new Http2Error('protocolError', 'WINDOW_UPDATE of 0', streamId === 0 ? null : streamId)
}

/** The payload of this client's SETTINGS: no push, the windows of its streams, and the longest list of fields. */
export function serializeSettings(windowBytes: number, maxHeaderListBytes: number): Buffer {
  const settings = [
    [enablePush, 0],
    [initialWindowSize, windowBytes],
    [maxHeaderListSize, maxHeaderListBytes],
  ] as const
  const payload = Buffer.alloc(6 * settings.length)
  for (const [index, [number, value]] of settings.entries()) {
    payload.writeUInt16BE(number, 6 * index)
    payload.writeUInt32BE(value, 6 * index + 2)
  }
  return payload
}

/** The payload of WINDOW_UPDATE and RST_STREAM, and with two values that of GOAWAY. */
export function serializeNumbers(...values: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) payload.writeUInt32BE(value, 4 * index)
  return payload
}

/** The content of a DATA or HEADERS frame: without its padding, and without the priority that HEADERS may have. */
export function contentOf(type: number, flags: number, payload: Buffer): Buffer {
  const padded = (flags & flagBits.padded) !== 0 ? 1 : 0
  const start = padded + (type === frameTypes.headers && (flags & flagBits.priority) !== 0 ? 5 : 0)
  if (payload.length < start) throw new Http2Error('frameSizeError', 'a frame shorter than its fields')
  const end = payload.length - (padded === 1 ? payload.readUInt8(0) : 0)
  // RFC 9113 §6.1, §6.2.
  if (end < start) throw new Http2Error('protocolError', 'padding longer than its frame')
  return payload.subarray(start, end)
}
