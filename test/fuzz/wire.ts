/**
 * Stations that break WebSocket itself (RFC 6455): bytes on a bare TCP connection after a right upgrade.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Version } from '../../src/ocpp/version.ts'
import { readFrame } from './judge.ts'
import { within } from './link.ts'
import type { Random } from './random.ts'

type FrameOptions = {
  readonly opcode?: number
  readonly fin?: boolean
  /** The three reserved bits: 4, 2, 1. */
  readonly rsv?: number
  readonly masked?: boolean
  readonly payload?: Buffer | string
  /** What the header says, whatever the payload is. */
  readonly says?: { readonly form: 7 | 16 | 64; readonly length: bigint }
}

const [text, binary, closing, ping, pong, more] = [1, 2, 8, 9, 10, 0]
const heartbeat = '[2,"wire","Heartbeat",{}]'
const badUtf8 = Buffer.from([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d])

function encode({ opcode = text, fin = true, rsv = 0, masked = true, payload = '', says }: FrameOptions): Buffer {
  const body = Buffer.from(payload)
  const form = says?.form ?? (body.length < 126 ? 7 : body.length < 65_536 ? 16 : 64)
  const length = says?.length ?? BigInt(body.length)
  const bit = masked ? 0x80 : 0
  const head = [Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode])]
  if (form === 7) head.push(Buffer.from([bit | Number(length)]))
  else {
    const size = Buffer.alloc(8)
    size.writeBigUInt64BE(BigInt.asUintN(64, length))
    head.push(Buffer.from([bit | (form === 16 ? 126 : 127)]), size.subarray(form === 16 ? 6 : 0))
  }
  if (!masked) return Buffer.concat([...head, body])
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78])
  return Buffer.concat([...head, mask, body.map((byte, at) => byte ^ (mask[at % 4] ?? 0))])
}

const closeFrame = (code: number, reason: Buffer | string = ''): Buffer => {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return encode({ opcode: closing, payload: Buffer.concat([payload, Buffer.from(reason)]) })
}

/** How it must end: with a close code, with the answer to the one CALL in it, or in whatever way but soon. */
type Ending = { readonly code: number } | 'answer' | 'any'
type Row = {
  readonly name: string
  readonly ends: Ending
  readonly bytes: (random: Random, maxMessageSize: number) => Buffer[]
}

const row = (name: string, ends: Ending, bytes: Row['bytes']): Row => ({ name, ends, bytes })
const fails = (name: string, ...frames: FrameOptions[]): Row => row(name, { code: 1002 }, () => frames.map(encode))

const rows: readonly Row[] = [
  fails('a message that is not masked', { masked: false, payload: heartbeat }),
  fails('RSV1 without compression', { rsv: 4, payload: heartbeat }),
  fails('RSV2', { rsv: 2, payload: heartbeat }),
  fails('RSV3 on a ping', { rsv: 1, opcode: ping }),
  fails('a ping in fragments', { opcode: ping, fin: false, payload: 'x' }),
  fails('a ping that is too long', { opcode: ping, payload: 'x'.repeat(126) }),
  fails('a continuation of nothing', { opcode: more, payload: heartbeat }),
  fails('a message within a message', { fin: false, payload: '[2,' }, { payload: heartbeat }),
  fails('a close frame of one byte', { opcode: closing, payload: 'x' }),
  row('a reserved opcode', { code: 1002 }, random => [
    encode({ opcode: random.pick([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), payload: heartbeat }),
  ]),
  row('a close code that may not be sent', { code: 1002 }, random => [
    closeFrame(random.pick([0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535])),
  ]),
  row('a close reason that is no UTF-8', { code: 1007 }, () => [closeFrame(1000, badUtf8)]),
  row('a text that is no UTF-8', { code: 1007 }, () => [encode({ payload: badUtf8 })]),
  row('a text in fragments that is no UTF-8', { code: 1007 }, () => [
    encode({ fin: false, payload: badUtf8.subarray(0, 3) }),
    encode({ opcode: more, payload: badUtf8.subarray(3) }),
  ]),
  row('a length of 64 bits', { code: 1009 }, random => [
    encode({ says: { form: 64, length: random.pick([2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 32n]) } }),
  ]),
  row('a length over the limit, told only', { code: 1009 }, (_, max) => [
    encode({ says: { form: 64, length: BigInt(max + 1) } }),
  ]),
  row('fragments over the limit together', { code: 1009 }, (_, max) => [
    encode({ fin: false, payload: 'x'.repeat(max) }),
    encode({ opcode: more, payload: 'x' }),
  ]),
  row('endless empty fragments, then a right end', 'answer', () => [
    encode({ fin: false, payload: heartbeat.slice(0, 5) }),
    ...Array.from({ length: 200 }, () => encode({ opcode: more, fin: false })),
    encode({ opcode: more, payload: heartbeat.slice(5) }),
  ]),
  row('a message cut off, then the end', 'any', () => [encode({ payload: heartbeat }).subarray(0, 12)]),
  row('a header cut off, then the end', 'any', (_, max) => [
    encode({ says: { form: 64, length: BigInt(max) } }).subarray(0, 7),
  ]),
  row('fragments with pings between', 'answer', () => [
    encode({ fin: false, payload: heartbeat.slice(0, 9) }),
    encode({ opcode: ping, payload: 'x'.repeat(125) }),
    encode({ opcode: pong }),
    encode({ opcode: more, payload: heartbeat.slice(9) }),
  ]),
  row('a character cut in two by fragments', 'answer', () => {
    const bytes = Buffer.from('[2,"wire","DataTransfer",{"vendorId":"é"}]')
    const cut = bytes.indexOf(0xc3) + 1
    return [
      encode({ fin: false, payload: bytes.subarray(0, cut) }),
      encode({ opcode: more, payload: bytes.subarray(cut) }),
    ]
  }),
  row('byte by byte', 'answer', () => Array.from(encode({ payload: heartbeat }), byte => Buffer.from([byte]))),
  row('a binary message', 'answer', () => [encode({ opcode: binary, payload: heartbeat })]),
  row('a message after the close frame', 'any', () => [closeFrame(1000), encode({ payload: heartbeat })]),
  row('a right message and a wrong one at once', 'any', () => [
    Buffer.concat([encode({ payload: heartbeat }), encode({ opcode: 3 })]),
  ]),
  row('any bytes', 'any', random => [Buffer.from(Array.from({ length: 200 }, () => random.integer(256)))]),
  row('right frames with a byte changed', 'any', random => {
    const bytes = Buffer.concat([1, 2, 3, 4].map(() => encode({ payload: heartbeat })))
    bytes[random.integer(bytes.length)] = random.integer(256)
    return [bytes]
  }),
]

/** Runs one row; throws where it does not end as it must. */
export async function attackBelow(
  { port, id, version }: { readonly port: number; readonly id: string; readonly version: Version },
  random: Random,
  maxMessageSize: number,
): Promise<void> {
  const { name, ends, bytes } = random.pick(rows)
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  const ended = once(socket, 'close')
  socket.on('error', () => undefined) // a reset, which `ended` tells of
  try {
    const peer = new Peer(socket)
    socket.write(upgrade(id, version))
    await within(peer.upgraded, `${name}: no upgrade`)
    for (const part of bytes(random, maxMessageSize)) {
      socket.write(part)
      if (part.length < 3) await new Promise(setImmediate)
    }
    if (ends === 'any') socket.end()
    await within(Promise.race([ends === 'answer' ? peer.answered : peer.closed, ended]), name)
    for (const answer of peer.texts) readFrame(answer, version)
    const how = `closed with ${peer.code}, and ${peer.texts.length} answers`
    if (ends === 'answer' && peer.texts.length !== 1) throw new Error(how)
    if (typeof ends === 'object' && (peer.code !== ends.code || peer.texts.length > 0)) throw new Error(how)
    if (ends === 'any' && ![null, 1000, 1002, 1007, 1009].includes(peer.code)) throw new Error(how)
  } catch (cause) {
    throw new Error(`${name}, which must end with ${JSON.stringify(ends)}: ${String(cause)}`, { cause })
  } finally {
    socket.destroy()
  }
}

function upgrade(id: string, version: Version): string {
  const lines = [
    `GET /ocpp/${id} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Sec-WebSocket-Protocol: ${version}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** What comes back: the upgrade's answer, then frames. */
class Peer {
  readonly texts: string[] = []
  code: number | null = null
  #bytes = Buffer.alloc(0)
  #isUpgraded = false
  #onUpgraded: () => void = () => undefined
  #onAnswered: () => void = () => undefined
  #onClosed: () => void = () => undefined
  readonly upgraded = new Promise<void>(resolve => (this.#onUpgraded = resolve))
  readonly answered = new Promise<void>(resolve => (this.#onAnswered = resolve))
  readonly closed = new Promise<void>(resolve => (this.#onClosed = resolve))

  constructor(socket: Socket) {
    socket.on('data', chunk => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      if (!this.#isUpgraded) this.#readHead()
      if (this.#isUpgraded) while (this.#readFrame());
    })
  }

  #readHead(): void {
    const end = this.#bytes.indexOf('\r\n\r\n')
    if (end === -1) return
    this.#isUpgraded = this.#bytes.toString('latin1', 0, 12) === 'HTTP/1.1 101'
    this.#bytes = this.#bytes.subarray(end + 4)
    if (this.#isUpgraded) this.#onUpgraded()
  }

  /** @returns whether there was a whole one */
  #readFrame(): boolean {
    if (this.#bytes.length < 2) return false
    const [first = 0, second = 0] = this.#bytes
    const [header, length] =
      second < 126 ? [2, second] : [4, this.#bytes.length < 4 ? Infinity : this.#bytes.readUInt16BE(2)]
    if (this.#bytes.length < header + length) return false
    const payload = this.#bytes.subarray(header, header + length)
    this.#bytes = this.#bytes.subarray(header + length)
    if ((first & 0xf) === text) {
      this.texts.push(payload.toString())
      this.#onAnswered()
    } else if ((first & 0xf) === closing) {
      this.code ??= payload.length < 2 ? 1005 : payload.readUInt16BE(0)
      this.#onClosed()
    }
    return true
  }
}
