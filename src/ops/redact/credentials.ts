/**
 * Masks the credentials of stations, and the secrets of a message, in the app's texts of errors: an exception may
 * repeat the Authorization header, or the tag that it does not know.
 *
 * Pure.
 */
import { spellingsOf } from './spellings.ts'

const MASK = '***'

/** Shorter ones occur in a text by accident. */
const SHORTEST = 8

/** Of a message, as in a frame. Tags are short, and an app may change their case. */
const SHORTEST_VALUE = 4

const SCHEME = /\b(basic|bearer)\s+([\w+/=.~-]+)/gi
/** What follows the name of a scheme in prose. Base64 of so few letters has no more than five characters. */
const WORD = /^(?:auth[a-z]*|credentials?|[a-z]{1,7})$/i

/** @param authorization the header that the app was given with the call; empty for none */
export function maskCredentials(text: string, authorization: string): string {
  let shown = text
  for (const { secret, least } of secretsOf(authorization))
    shown = withoutCut(shown.replaceAll(secret, MASK), secret, least)
  return shown.replace(SCHEME, (all, scheme: string, value: string) => (WORD.test(value) ? all : `${scheme} ${MASK}`))
}

/**
 * Masks what an exception repeats of the message that the app was given.
 *
 * @param values secret ones of that message
 */
export function maskValues(text: string, values: readonly string[]): string {
  const spelled = values.flatMap(value => spellingsOf(Buffer.from(value)))
  const secrets = [...new Set(spelled)].filter(({ length }) => length >= SHORTEST_VALUE)
  if (secrets.length === 0) return text
  secrets.sort((a, b) => b.length - a.length)
  const escaped = secrets.map(secret => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  const shown = text.replace(new RegExp(escaped.join('|'), 'gi'), MASK)
  return secrets.reduce((masked, secret) => withoutCut(masked, secret, SHORTEST_VALUE), shown)
}

/** `least`: how many of its first characters may not be shown. */
type Secret = { readonly secret: string; readonly least: number }

/** Longer ones first, for one may contain the next. */
function secretsOf(authorization: string): readonly Secret[] {
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)/.exec(authorization) ?? []
  if (!/^basic$/i.test(scheme)) return longOnes([value])
  const bytes = Buffer.from(value, 'base64')
  const keyBytes = bytes.subarray(bytes.indexOf(':') + 1)
  const key = keyBytes.toString()
  const others = longOnes([value, ...spellingsOf(keyBytes)])
  if (!bytes.includes(':') || key === '') return others
  const pair = bytes.toString()
  return [{ secret: pair, least: pair.length - key.length + 1 }, ...others]
}

function longOnes(secrets: readonly string[]): readonly Secret[] {
  return secrets.filter(({ length }) => length >= SHORTEST).map(secret => ({ secret, least: SHORTEST / 2 }))
}

/** A text may have been cut within a secret: at its end, before dots, or before what the bridge has added. */
function withoutCut(text: string, secret: string, least: number): string {
  const parts = text.split(/(; |\.\.\.|…)/)
  return parts.map(part => withoutEnd(part, secret, least)).join('')
}

function withoutEnd(text: string, secret: string, least: number): string {
  for (let length = Math.min(secret.length - 1, text.length); length >= least; length--)
    if (text.endsWith(secret.slice(0, length))) return text.slice(0, -length) + MASK
  return text
}
