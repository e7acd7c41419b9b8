/**
 * Counts the fields of a reply in its bytes, before it is decoded: each costs two bytes on the wire, and much more as a value.
 *
 * Pure. Spec: Protocol Buffers, "Encoding".
 */

const varint = 0
const fixed64 = 1
const lengthDelimited = 2
const fixed32 = 5

type Reader = { readonly bytes: Uint8Array; at: number }

/**
 * How many fields with a length a message has, with those of one message inside; counting stops beyond `most`. Of bytes that
 * are no message, counts those before the fault.
 *
 * @param inner the number of the field whose own fields count, too; `null` for none
 */
export function itemsIn(bytes: Uint8Array, inner: number | null, most: number): number {
  const reader = { bytes, at: 0 }
  let count = 0
  while (reader.at < bytes.length && count <= most) {
    const tag = readVarint(reader)
    switch (tag % 8) {
      case varint:
        readVarint(reader)
        break
      case fixed64:
        reader.at += 8
        break
      case lengthDelimited: {
        const length = readVarint(reader)
        if (Math.floor(tag / 8) !== inner) count++
        else count += itemsIn(bytes.subarray(reader.at, reader.at + length), null, most - count)
        reader.at += length
        break
      }
      case fixed32:
        reader.at += 4
        break
      default:
        return count
    }
  }
  return count
}

/** At most ten bytes; as a number, which is exact for every length that fits into a reply. */
function readVarint(reader: Reader): number {
  let value = 0
  for (let place = 0; place < 10; place++) {
    const byte = reader.bytes[reader.at++] ?? 0
    value += (byte % 128) * 128 ** place
    if (byte < 128) break
  }
  return value
}
