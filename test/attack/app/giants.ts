/**
 * Replies of nearly 4 MiB, the most that the bridge receives, with more parts than an app ever sends. Built once, as
 * bytes, so that the app has time for other stations. The station's serial number asks for one: `healthy-giant-`, the
 * kind, and a number.
 */

const utf8 = (text: string): Buffer => Buffer.from(text)
/** A field with a length, by Protocol Buffers' encoding. */
function field(number: number, bytes: Buffer): Buffer {
  const length: number[] = []
  let left = bytes.length
  for (; left > 127; left = Math.floor(left / 128)) length.push((left % 128) + 128)
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length, left]), bytes])
}

const repeated = (count: number, partOf: (at: number) => Buffer): Buffer =>
  Buffer.concat([success, ...Array.from({ length: count }, (_, at) => partOf(at))])

/** Fields of `CommandResponse`, in protos/rpc.proto. */
const success = Buffer.from([8, 1])
const streams = 4
const transmissions = 5
const env = 7
const istate = 2

const kinds: Readonly<Record<string, (identifier: string) => Buffer>> = {
  transmissions: () => Buffer.concat([success, Buffer.alloc(4_000_000, field(transmissions, utf8('')))]),
  commands: identifier => {
    const command = field(transmissions, utf8(JSON.stringify({ identifier, message: { command: 'Reset' } })))
    return repeated(36_000, () => command)
  },
  streams: () => repeated(900_000, at => field(streams, utf8(at.toString(36).slice(-2).padStart(2, '0')))),
  keys: () => {
    const entry = (at: number): Buffer =>
      field(istate, Buffer.concat([field(1, utf8(`key-${at}`)), field(2, utf8('a state'))]))
    return Buffer.concat([success, field(env, repeated(150_000, entry).subarray(success.length))])
  },
}
const made = new Map<string, Buffer>()

/** `null` for a station that asks for none. */
export function giantFor(identifier: string): Buffer | null {
  const make = kinds[/healthy-giant-([a-z]+)-\d+/.exec(identifier)?.[1] ?? '']
  if (make === undefined) return null
  const reply = made.get(identifier) ?? make(identifier)
  made.set(identifier, reply)
  return reply
}

for (const kind of Object.keys(kinds))
  for (const at of [0, 1]) giantFor(`{"channel":"OCPPChannel","sn":"healthy-giant-${kind}-${at}"}`)
