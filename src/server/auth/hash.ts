/**
 * Salted hashes of keys, by scrypt (RFC 7914), in the PHC string format. Each hash records what it costs.
 */
import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'

const scryptOf = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(scrypt)

type Cost = { readonly ln: number; readonly r: number; readonly p: number }

/**
 * `chosen`: a key that may be short, or in a list of words. Each guess takes 16 MiB and some 20 ms of a thread.
 *
 * `random`: 128 random bits or more cannot be guessed, so a check may be cheap (20 µs).
 */
const costs = { chosen: { ln: 14, r: 8, p: 1 }, random: { ln: 1, r: 1, p: 1 } } as const satisfies Record<string, Cost>
const saltBytes = 16
const hashBytes = 32
/** In bytes. Limits hashes made elsewhere, so that one check cannot exhaust the memory. */
const mostMemory = 64 * 1024 * 1024

type Hash = { readonly cost: Cost; readonly salt: Buffer; readonly hash: Buffer }

/** @param kind `random` only for a key that was made by a random generator */
export async function hashOf(secret: Buffer, kind: keyof typeof costs): Promise<string> {
  const cost = costs[kind]
  const salt = randomBytes(saltBytes)
  const hash = await derived(secret, salt, cost, hashBytes)
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(hash)}`
}

export function isHash(text: string): boolean {
  return parseHash(text) !== null
}

/** Whether it has the cost of a key that nobody can guess. */
export function isOfRandom(text: string): boolean {
  const cost = parseHash(text)?.cost
  const { ln, r, p } = costs.random
  return cost?.ln === ln && cost.r === r && cost.p === p
}

/** Compares in constant time. */
export async function matches(secret: Buffer, text: string): Promise<boolean> {
  const parsed = parseHash(text)
  if (parsed === null) return false
  return timingSafeEqual(await derived(secret, parsed.salt, parsed.cost, parsed.hash.length), parsed.hash)
}

/** A hash made elsewhere may be longer than 32 bytes, but not shorter: then the file is cut off. */
function parseHash(text: string): Hash | null {
  const [, ln, r, p, salt = '', hash = ''] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([A-Za-z\d+/]{11,86})\$([A-Za-z\d+/]{43,86})$/.exec(text) ?? []
  const given = { ln: Number(ln), r: Number(r), p: Number(p) }
  const isUsable = given.ln > 0 && given.r > 0 && given.p > 0 && memoryOf(given) <= mostMemory
  return isUsable ? { cost: given, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') } : null
}

function derived(secret: Buffer, salt: Buffer, { ln, r, p }: Cost, length: number): Promise<Buffer> {
  return scryptOf(secret, salt, length, { N: 2 ** ln, r, p, maxmem: 2 * mostMemory })
}

/** In bytes. */
function memoryOf({ ln, r, p }: Cost): number {
  return 128 * r * (2 ** ln + p)
}

/** Without padding, as the format has it. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
