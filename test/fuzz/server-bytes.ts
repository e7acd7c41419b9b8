/**
 * Wrong bytes from the app's server: mutated HTTP/2 frames against a connection, each stream of them a function of a
 * seed.
 *
 * What must hold: nothing is thrown; each request ends once, when the connection has closed at the latest; and what the
 * connection itself sends are whole frames that a server accepts.
 */
import { Connection } from '../../src/http2/connection.ts'
import type { End, Exchange, Wire } from '../../src/http2/exchange.ts'
import { Encoder, type Fields } from '../../src/http2/hpack.ts'
import { Random } from './random.ts'

const common: Fields = [
  [':method', 'POST'],
  ['te', 'trailers'],
]
/** Blocks with Huffman codes and references to the dynamic table, each relative to those before it (RFC 7541 C.6). */
const examples = [
  '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
  '4883640effc1c0bf',
  `88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af2708\
7f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007`,
].map(block => Buffer.from(block, 'hex'))
const ends: ReadonlySet<string> = new Set<End['kind']>(['refused', 'unsendable', 'reset', 'ended', 'malformed', 'lost'])

/** A request of the fuzzer: counts its ends. */
class Request implements Exchange {
  readonly path = '/p'
  readonly body: Buffer
  streamId = 0
  status = 0
  readonly ends: string[] = []

  constructor(bytes: number) {
    this.body = Buffer.alloc(bytes)
  }

  open(): Fields {
    return [['sid', 's']]
  }

  onData(bytes: Buffer): void {
    if (this.ends.length > 0) throw new Error(`${bytes.length} bytes after the end`)
  }

  onTrailers(): void {
    this.ends.push('fine')
  }

  onEnd({ kind }: End): void {
    if (!ends.has(kind)) throw new Error(`an end of no kind: ${kind}`)
    this.ends.push(kind)
  }
}

/** Throws for a frame that no server accepts, and for one that tells of a bug. */
class Socket implements Wire {
  #rest: Buffer = Buffer.alloc(0)
  #hasPreface = false
  takesMore = true

  write(bytes: Buffer): boolean {
    const all = Buffer.concat([this.#rest, bytes])
    let at = this.#hasPreface ? 0 : 24
    this.#hasPreface = true
    for (; at < all.length; at += 9 + all.readUIntBE(at, 3)) {
      const [length, type] = [all.readUIntBE(at, 3), all[at + 3] ?? 0]
      if (at + 9 + length > all.length) throw new Error('half a frame was written')
      if (length > 2 ** 14 || ![0, 1, 3, 4, 6, 7, 8].includes(type)) throw new Error(`frame ${type} of ${length} bytes`)
      // GOAWAY with INTERNAL_ERROR: the connection has caught an error of its own.
      if (type === 7 && all.readUInt32BE(at + 13) === 2) throw new Error('an internal error')
    }
    return this.takesMore
  }

  end(): void {
    this.takesMore = false
  }

  destroy(): void {
    this.takesMore = false
  }
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * index)
  return bytes
}

/** Frames of a server that serves the streams 1, 3 and 5, in an order that a server may choose, more or less. */
function framesOf(random: Random): Buffer[] {
  // The paths make other blocks; the bridge's encoder stands for a server's.
  const encoder = new Encoder([])
  const block = (fields: Fields): Buffer =>
    Buffer.from(encoder.encode(random.pick(['200', '/', '103']), fields, Infinity) ?? []).fill(
      random.pick([0x88, 0x40]),
      0,
      random.integer(2),
    )
  let used = 0
  const example = (): Buffer => examples[used++ % examples.length] ?? Buffer.of()
  const status = (): Buffer =>
    random.chance(0.3)
      ? example()
      : Buffer.concat([
          Buffer.of(random.pick([0x88, 0x88, 0x88, 0x8d, 0x80])),
          block([['a', 'b']]).subarray(random.integer(30)),
        ])
  const end = Buffer.from('000b677270632d737461747573' + '0130', 'hex')
  const id = (): number => random.pick([1, 1, 3, 3, 5, 5, 0, 2, 7])
  const kinds: readonly (() => Buffer)[] = [
    () => frame(1, random.pick([4, 4, 4, 5, 0, 12, 36]), id(), status()),
    () => frame(1, random.pick([5, 5, 5, 4, 1]), id(), end),
    () => frame(0, random.pick([0, 0, 1, 8]), id(), Buffer.alloc(random.pick([0, 1, 7, 300, 2 ** 14]))),
    () => frame(9, random.pick([0, 4]), id(), random.pick([end, status()])),
    () =>
      frame(
        4,
        random.pick([0, 0, 1]),
        0,
        random.chance(0.5)
          ? Buffer.alloc(0)
          : Buffer.concat([
              Buffer.of(0, 1 + random.integer(7)),
              numbers(random.pick([0, 1, 100, 2 ** 14, 2 ** 31 - 1, 2 ** 32 - 1])),
            ]),
      ),
    () => frame(6, random.integer(2), 0, Buffer.alloc(8)),
    () => frame(8, 0, id(), numbers(random.pick([1, 1000, 2 ** 20, 2 ** 31 - 1, 0]))),
    () => frame(3, 0, id(), numbers(random.integer(13))),
    () => frame(7, 0, 0, numbers(random.pick([0, 1, 3, 2 ** 31 - 1]), random.integer(13))),
    () => frame(random.integer(256), random.integer(256), id(), Buffer.alloc(random.integer(50))),
  ]
  const whole = (): Buffer => {
    const id = random.pick([1, 3, 5])
    const response = frame(1, 4, id, random.chance(0.5) ? example() : Buffer.of(0x88))
    return Buffer.concat([response, frame(0, 0, id, Buffer.alloc(random.integer(400))), frame(1, 5, id, end)])
  }
  const usual = [0, 0, 0, 1, 1, 2, 2, 2, 4, 6]
  const frames = Array.from({ length: 1 + random.integer(12) }, () => {
    if (random.chance(0.3)) return whole()
    const kind = random.chance(0.7) ? random.pick(usual) : random.integer(kinds.length)
    return (kinds[kind] ?? whole)()
  })
  return random.chance(0.95) ? [frame(4, 0, 0, Buffer.alloc(0)), ...frames] : frames
}

/** Changes some of the bytes: flips, cuts, repeats and joins. */
function mutated(bytes: Buffer, random: Random): Buffer {
  let result = Buffer.from(bytes)
  for (let times = random.pick([0, 0, 1, 1, 2, 5]); times > 0 && result.length > 0; times--) {
    const at = random.integer(result.length)
    const kind = random.integer(4)
    if (kind === 0) result[at] = random.integer(256)
    else if (kind === 1) result[at] = (result[at] ?? 0) ^ (1 << random.integer(8))
    else if (kind === 2) result = Buffer.concat([result.subarray(0, at), result.subarray(at + random.integer(20))])
    else result = Buffer.concat([result.subarray(0, at), result.subarray(Math.max(0, at - random.integer(40)))])
  }
  return result
}

/** Plays one stream of bytes. Throws what is wrong. @returns how the requests have ended */
export function playServerBytes(seed: number, index: number): string[] {
  const random = new Random(seed, index)
  const socket = new Socket()
  const nothing = (): void => undefined
  const owner = { onReady: nothing, onPong: nothing, onGoaway: nothing, onEnd: nothing, onClose: nothing }
  const connection = new Connection(socket, common, owner)
  const requests = [0, 100, 70_000].map(bytes => new Request(bytes))
  const frames = framesOf(random)
  const opening = frames.shift() ?? Buffer.alloc(0)
  connection.receive(opening)
  const open = connection.isOpen ? requests : []
  const gone: Request[] = []
  for (const request of open) connection.open(request)
  const bytes = mutated(Buffer.concat(frames), random)
  for (let at = 0; at < bytes.length;) {
    const next = random.chance(0.5) ? bytes.length : at + 1 + random.integer(bytes.length - at)
    connection.receive(bytes.subarray(at, next))
    at = next
    const cancelled = random.chance(0.05) ? open.findIndex(({ ends }) => ends.length === 0) : -1
    for (const request of open.splice(cancelled, cancelled === -1 ? 0 : 1)) {
      connection.cancel(request)
      gone.push(request)
    }
    if (random.chance(0.1)) connection.onDrain()
  }
  connection.onClose('the stream of bytes is over')
  const found = open.map(({ ends }) => ends)
  if (found.some(({ length }) => length !== 1)) throw new Error(`requests have ended: ${JSON.stringify(found)}`)
  if (gone.some(({ ends }) => ends.length > 0)) throw new Error('a request has ended after it was cancelled')
  return found.flat()
}

/**
 * Plays as many streams of bytes. Throws the first problem, with the number of the stream; and where the heap has
 * grown.
 *
 * @returns the heap, warm and at the end
 */
export async function playManyServerBytes(seed: number, count: number): Promise<readonly [number, number]> {
  let warm = 0
  for (let index = 0; index < count; index++) {
    try {
      playServerBytes(seed, index)
    } catch (cause) {
      throw new Error(`stream ${index} of seed ${seed}`, { cause })
    }
    // Lets the connections write what they have left.
    if (index % 1_000 === 0) await new Promise(setImmediate)
    if (index === Math.floor(count / 10)) warm = process.memoryUsage().heapUsed
  }
  const end = process.memoryUsage().heapUsed
  if (end > 2 * warm + 50 * 2 ** 20) throw new Error(`the heap has grown from ${warm} to ${end} bytes`)
  return [warm, end]
}
