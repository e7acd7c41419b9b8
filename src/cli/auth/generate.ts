/**
 * New keys for stations, in the form that each version configures.
 *
 * Spec: OCPP 1.6 security white paper A00.FR.205 (16 to 20 bytes, as hexadecimal digits over OCPP), OCPP 2.0.1 Part 2
 * A00.FR.205 (a passwordString of 16 to 40 characters).
 */
import { randomBytes, randomInt } from 'node:crypto'
import { versions, type Version } from '../../ocpp/version.ts'

/** Letters and digits are in every version's character set, and need no quotes in a shell. */
const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const length = 32

/** Of 160 random bits, or 190 in 2.x: its hash needs no costly function. */
export function newKey(version: Version): string {
  if (versions[version].configuresHexKeys) return randomBytes(20).toString('hex')
  return Array.from({ length }, () => characters[randomInt(characters.length)]).join('')
}
