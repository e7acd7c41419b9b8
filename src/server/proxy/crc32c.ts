/**
 * CRC-32C (Castagnoli), which the PROXY protocol uses; the `crc32` of `node:zlib` has another polynomial.
 *
 * Pure.
 * Spec: RFC 3720 §12.1.
 */

/** The polynomial 0x1EDC6F41, with its bits reversed. */
const polynomial = 0x82f63b78

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1
  return value
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
