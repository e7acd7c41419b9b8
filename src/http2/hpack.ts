/**
 * HPACK: lists of header fields as blocks of bytes, relative to a table that both sides keep.
 *
 * Pure. Spec: RFC 7541. Names and values are Latin-1: a byte is a character.
 */
import { Http2Error } from './frames.ts'
import { huffmanTree, staticTable } from './tables.ts'

export type Fields = readonly (readonly [name: string, value: string])[]

/** Of the dynamic table: the default of SETTINGS_HEADER_TABLE_SIZE, which this client never changes. */
const maxTableBytes = 4096
/** Of a field, in the table and in a list (RFC 7541 §4.1, RFC 9113 §10.5.1). */
const fieldOverheadBytes = 32
/** Of a block that this client sends: one frame of any server holds it (RFC 9113 §4.2). */
const maxBlockBytes = 2 ** 14
/** Distinct blocks whose reading is kept. */
const maxKnownBlocks = 100
/** Never indexed, so that no proxy lets others guess them by the length of blocks (RFC 7541 §7.1.3). */
const secretNames: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])
/** The first byte of each representation (RFC 7541 §6), and the bits of its number. */
const indexed = [0x80, 7] as const
const literalIndexed = [0x40, 6] as const
const literal = [0, 4] as const
const literalNever = [0x10, 4] as const
const tableUpdate = [0x20, 5] as const

const noField = ['', ''] as const

function sizeOf([name, value]: Fields[number]): number {
  return name.length + value.length + fieldOverheadBytes
}

/** The dynamic table (RFC 7541 §2.3.2). */
class Table {
  /** Oldest first. */
  readonly fields: Fields[number][] = []
  #bytes = 0
  #maxBytes = maxTableBytes

  set maxBytes(bytes: number) {
    this.#maxBytes = bytes
    this.#evict()
  }

  /** The index; 0 for none. */
  find(name: string, value: string): number {
    const isIt = (field: Fields[number]): boolean => field[0] === name && field[1] === value
    const inStatic = staticTable.findIndex(isIt) + 1
    if (inStatic > 0) return inStatic
    const at = this.fields.findLastIndex(isIt)
    return at === -1 ? 0 : staticTable.length + this.fields.length - at
  }

  holds(field: Fields[number]): boolean {
    return sizeOf(field) <= this.#maxBytes
  }

  insert(field: Fields[number]): void {
    this.fields.push(field)
    this.#bytes += field[0].length + field[1].length + fieldOverheadBytes
    if (this.#bytes > this.#maxBytes) this.#evict()
  }

  #evict(): void {
    let evicted = 0
    for (; this.#bytes > this.#maxBytes; evicted++) this.#bytes -= sizeOf(this.fields[evicted] ?? noField)
    this.fields.splice(0, evicted)
  }
}

/** Reads the peer's blocks, each of which must be read, in order. */
export class Decoder<Reading> {
  readonly #maxListBytes: number
  readonly #read: (fields: Fields | null) => Reading
  readonly #table = new Table()
  /** Of the table as it is now. Servers send the same few blocks again and again. */
  readonly #known = new Map<string, Reading>()
  #block: Buffer = Buffer.alloc(0)
  #at = 0

  /**
   * @param maxListBytes  of a list, as in SETTINGS_MAX_HEADER_LIST_SIZE
   * @param read          makes the result of the fields; of `null` for a list above the limit. Pure
   */
  constructor(maxListBytes: number, read: (fields: Fields | null) => Reading) {
    this.#maxListBytes = maxListBytes
    this.#read = read
  }

  /** Throws `Http2Error` with COMPRESSION_ERROR; the connection cannot be used any more then. */
  decode(block: Buffer): Reading {
    const key = block.toString('latin1')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#block = block
    this.#at = 0
    const table = this.#table
    const fields: Fields[number][] = []
    let listBytes = 0
    let changesTable = false
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0
      if (first >= tableUpdate[0] && first < literalIndexed[0]) {
        const bytes = this.#integer(tableUpdate[1])
        if (listBytes > 0 || bytes > maxTableBytes) throw broken(`a table size update to ${bytes} bytes`)
        table.maxBytes = bytes
        changesTable = true
        continue
      }
      const isIndexed = first >= indexed[0]
      const isInserted = !isIndexed && first >= literalIndexed[0]
      const index = this.#integer((isIndexed ? indexed : isInserted ? literalIndexed : literalNever)[1])
      const isNew = index === 0 && !isIndexed
      const entry = isNew ? noField : (staticTable[index - 1] ?? table.fields.at(staticTable.length - index))
      if (entry === undefined || (index === 0 && isIndexed)) throw broken(`no field has the index ${index}`)
      const field = isIndexed ? entry : ([isNew ? this.#text() : entry[0], this.#text()] as const)
      if (isInserted) table.insert(field)
      changesTable ||= isInserted
      listBytes += field[0].length + field[1].length + fieldOverheadBytes
      // A short block may refer to a long field often.
      if (listBytes <= this.#maxListBytes) fields.push(field)
    }
    const reading = this.#read(listBytes > this.#maxListBytes ? null : fields)
    if (changesTable) this.#known.clear()
    else if (this.#known.size < maxKnownBlocks) this.#known.set(key, reading)
    return reading
  }

  /** RFC 7541 §5.1. */
  #integer(bits: number): number {
    const max = 2 ** bits - 1
    let value = (this.#block[this.#at++] ?? 0) & max
    if (value < max) return value
    for (let shift = 0; ; shift += 7) {
      const byte = this.#block[this.#at++]
      if (byte === undefined) throw broken('an integer that ends too early')
      if (shift > 21) throw broken('an integer above 2^28')
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
  }

  /** RFC 7541 §5.2. */
  #text(): string {
    const isHuffman = ((this.#block[this.#at] ?? 0) & 128) !== 0
    const length = this.#integer(7)
    const from = this.#at
    this.#at += length
    if (from > this.#block.length || this.#at > this.#block.length) throw broken('a string that ends too early')
    const bytes = this.#block.subarray(from, this.#at)
    return isHuffman ? huffmanText(bytes) : bytes.toString('latin1')
  }
}

/** The fields that the requests for one path repeat. */
type Repeated = {
  readonly fields: Fields
  readonly listBytes: number
  /** Of the table as it is now; `null` if it is not known. */
  block: Buffer | null
}

/** Writes this client's blocks, each of which must be sent, in order. Strings are not Huffman-coded. */
export class Encoder {
  readonly #table = new Table()
  readonly #common: Fields
  /** By path. */
  readonly #repeated = new Map<string, Repeated>()
  readonly #out = Buffer.allocUnsafe(maxBlockBytes)
  /** Table size updates for the next block. */
  #updates: number[] = []

  /** @param common  of all requests, besides their path */
  constructor(common: Fields) {
    this.#common = common
  }

  /** What the peer allows for the table; of it, this encoder uses what it needs. */
  set tableBytes(allowed: number) {
    const bytes = Math.min(allowed, maxTableBytes)
    this.#table.maxBytes = bytes
    for (const repeated of this.#repeated.values()) repeated.block = null
    // RFC 7541 §4.2: of several changes between two blocks, the smallest and the last are sent.
    this.#updates = [...new Set([Math.min(bytes, ...this.#updates), bytes])]
  }

  /**
   * The path and the common fields are indexed.
   *
   * @param own           fields that are not indexed
   * @param maxListBytes  of the whole list, as the peer's SETTINGS_MAX_HEADER_LIST_SIZE
   * @returns a block for one frame, to be copied before the next one; `null` if the list is too large
   */
  encode(path: string, own: Fields, maxListBytes: number): Buffer | null {
    const repeated = this.#repeated.get(path) ?? this.#repeat(path)
    let { listBytes } = repeated
    for (const [name, value] of own) listBytes += name.length + value.length + fieldOverheadBytes
    // A field has fewer bytes in a block than in a list.
    if (listBytes > Math.min(maxListBytes, maxBlockBytes)) return null
    const out = this.#out
    let at = repeated.block === null ? this.#writeIndexed(repeated) : repeated.block.copy(out)
    for (const field of own) {
      out[at++] = secretNames.has(field[0]) ? literalNever[0] : literal[0]
      for (const text of field) {
        if (text.length < 127) out[at++] = text.length
        else at = writeInteger(out, at, 0, 7, text.length)
        at += out.write(text, at, 'latin1')
      }
    }
    return out.subarray(0, at)
  }

  #repeat(path: string): Repeated {
    const fields = [[':path', path] as const, ...this.#common]
    const repeated = { fields, listBytes: fields.reduce((sum, field) => sum + sizeOf(field), 0), block: null }
    this.#repeated.set(path, repeated)
    return repeated
  }

  #writeIndexed(repeated: Repeated): number {
    const out = this.#out
    let at = 0
    let isLasting = this.#updates.length === 0
    for (const bytes of this.#updates.splice(0)) at = writeInteger(out, at, ...tableUpdate, bytes)
    for (const field of repeated.fields) {
      const [name, value] = field
      const index = this.#table.find(name, value)
      if (index > 0) {
        at = writeInteger(out, at, ...indexed, index)
        continue
      }
      const isSecret = secretNames.has(name)
      const isInserted = !isSecret && this.#table.holds(field)
      const [first, bits] = isSecret ? literalNever : isInserted ? literalIndexed : literal
      at = writeInteger(out, at, first, bits, 0)
      for (const text of field) {
        at = writeInteger(out, at, 0, 7, text.length)
        at += out.write(text, at, 'latin1')
      }
      if (!isInserted) continue
      this.#table.insert(field)
      for (const other of this.#repeated.values()) other.block = null
      isLasting = false
    }
    if (isLasting) repeated.block = Buffer.from(out.subarray(0, at))
    return at
  }
}

/** @returns the position after the integer (RFC 7541 §5.1) */
function writeInteger(out: Buffer, start: number, first: number, bits: number, value: number): number {
  const max = 2 ** bits - 1
  let at = start
  out[at++] = first | Math.min(value, max)
  if (value < max) return at
  let left = value - max
  for (; left >= 128; left >>>= 7) out[at++] = (left & 127) | 128
  out[at++] = left
  return at
}

/** A symbol that no string may have. */
const endOfString = 256

function huffmanText(bytes: Buffer): string {
  const symbols: number[] = []
  let node = 0
  /** Since the last symbol: how many bits, and whether all are 1. */
  let pending = 0
  let areOnes = true
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const one = (byte >>> bit) & 1
      const next = huffmanTree[2 * node + one] ?? 0
      pending++
      areOnes &&= one === 1
      node = next
      if (next >= 0) continue
      if (next === -1 - endOfString) throw broken('a string with the end of strings in it')
      symbols.push(-1 - next)
      node = 0
      pending = 0
      areOnes = true
    }
  }
  // RFC 7541 §5.2.
  if (pending > 7 || !areOnes) throw broken('wrong padding of a string')
  return Buffer.from(symbols).toString('latin1')
}

function broken(what: string): Http2Error {
  return new Http2Error('compressionError', `HPACK: ${what}`)
}
