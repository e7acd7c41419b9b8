/**
 * A message as it stands in a gRPC stream: a byte that says whether it is compressed, its length in four, itself.
 *
 * Pure. Spec: gRPC over HTTP/2, Length-Prefixed-Message.
 */

const prefixBytes = 5

/** The message with its prefix, in one piece. */
export function framed(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(prefixBytes + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  message.copy(bytes, prefixBytes)
  return bytes
}

/** Collects the one message of a reply as its bytes come. */
export class ReplyMessage {
  #chunks: Buffer[] = []
  #bytes = 0
  /** With its prefix; `null` until that is there. */
  #length: number | null = null
  #isCompressed = false

  get isCompressed(): boolean {
    return this.#isCompressed
  }

  /** How long the message says it is; `null` as long as it has not. */
  get length(): number | null {
    return this.#length === null ? null : this.#length - prefixBytes
  }

  /** Counts all bytes, and keeps those that are of use: of the one message, if it can be read. */
  take(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#isCompressed || (this.#length !== null && this.#bytes > this.#length)) return
    this.#chunks.push(chunk)
    if (this.#length === null && this.#bytes >= prefixBytes) this.#readPrefix()
  }

  /** `null` where more or fewer bytes have come than the one message has. */
  whole(): Buffer | null {
    if (this.#isCompressed || this.#bytes !== this.#length) return null
    return this.#joined().subarray(prefixBytes)
  }

  #readPrefix(): void {
    const bytes = this.#joined()
    this.#chunks = [bytes]
    this.#isCompressed = bytes[0] !== 0
    if (this.#isCompressed) this.#chunks = []
    else this.#length = prefixBytes + bytes.readUInt32BE(1)
  }

  #joined(): Buffer {
    const [first] = this.#chunks
    return first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks)
  }
}
