/**
 * Salted hashes of keys, by scrypt (RFC 7914), in the PHC string format. A hash takes some 20 ms of a thread.
 */
import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'

const scryptOf = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(scrypt)

/** 16 MiB of memory for a hash. */
const cost = { ln: 14, r: 8, p: 1 }
const saltBytes = 16
const hashBytes = 32
/** In bytes. Limits hashes made elsewhere, so that one check cannot exhaust the memory. */
const mostMemory = 64 * 1024 * 1024

type Hash = { readonly cost: typeof cost; readonly salt: Buffer; readonly hash: Buffer }

export async function hashOf(secret: Buffer): Promise<string> {
  const salt = randomBytes(saltBytes)
  const hash = await derived(secret, salt, cost, hashBytes)
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(hash)}`
}

export function isHash(text: string): boolean {
  return parseHash(text) !== null
}

/** Compares in constant time. */
export async function matches(secret: Buffer, text: string): Promise<boolean> {
  const parsed = parseHash(text)
  if (parsed === null) return false
  return timingSafeEqual(await derived(secret, parsed.salt, parsed.cost, parsed.hash.length), parsed.hash)
}

function parseHash(text: string): Hash | null {
  const [, ln, r, p, salt = '', hash = ''] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([A-Za-z\d+/]{11,86})\$([A-Za-z\d+/]{22,86})$/.exec(text) ?? []
  const given = { ln: Number(ln), r: Number(r), p: Number(p) }
  const isUsable = given.ln > 0 && given.r > 0 && given.p > 0 && memoryOf(given) <= mostMemory
  return isUsable ? { cost: given, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : null
}

function derived(secret: Buffer, salt: Buffer, { ln, r, p }: typeof cost, length: number): Promise<Buffer> {
  return scryptOf(secret, salt, length, { N: 2 ** ln, r, p, maxmem: 2 * mostMemory })
}

/** In bytes. */
function memoryOf({ ln, r, p }: typeof cost): number {
  return 128 * r * (2 ** ln + p)
}

/** Without padding, as the format has it. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
