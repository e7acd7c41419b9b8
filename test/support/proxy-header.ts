/** Headers of the PROXY protocol, version 2, for tests. */
import { crc32c } from '../../src/server/proxy/crc32c.ts'

export const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** @param body addresses and fields */
export function binaryHeader(command: number, family: number, ...body: readonly Buffer[]): Buffer {
  const rest = Buffer.concat(body)
  const prefix = Buffer.from([command, family, rest.length >> 8, rest.length & 255])
  return Buffer.concat([signature, prefix, rest])
}

export function field(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 255]), bytes])
}

/** @param client bits: 1 for TLS, 2 and 4 for a certificate; `verify` is 0 where it was verified */
export function tlsField(client: number, verify: number, ...fields: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(5, client)
  head.writeUInt32BE(verify, 1)
  return field(0x20, Buffer.concat([head, ...fields]))
}

export function withChecksum(header: (checksum: Buffer) => Buffer): Buffer {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32c(header(field(3, Buffer.alloc(4)))))
  return header(field(3, checksum))
}

/** 203.0.113.7:40000 to 192.0.2.1:8080. */
export const ipv4 = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0x9c, 0x40, 0x1f, 0x90])
