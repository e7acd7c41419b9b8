/**
 * Every secret that the tests of a file use, and the search for them in all that a bridge writes: keys and passwords of
 * stations, cookies, tags of drivers, certificates, and the bridge's own tokens.
 *
 * Stations, apps and bridges of `test/support` note what they are given. It is read here by other rules than those of
 * `src/ops/redact`.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

/** `frame`: `log_sensitive` shows it. `own`: nothing does. */
type Kind = 'frame' | 'own'

const known = new Map<string, Kind>()
/** A long run has more; the first ones have been everywhere that the later ones come by. */
const maxKnown = 2_000
/** One character is found by accident. */
const leastLength = 2
/** Shorter ones are words of the log, too: only whole texts in quotes count. */
const leastInWords = 6

/** Texts that tests give as tags or keys, and that the log has to show. */
const shown: ReadonlyMap<string, string> = new Map([
  ['***', 'the mask itself'],
  ['CP01', 'a tag of the README, and the id of its station'],
])

export function noteSecret(text: string, kind: Kind = 'own'): void {
  if (text.length >= leastLength && !shown.has(text) && known.size < maxKnown) known.set(text, kind)
}

const secretMember =
  /"(?:\w*idTag|id_tag|\w*idToken|\w*certificate|certificateChain|cert|csr|exi\w+|ocspResult|simPin|\w*password)"\s*:\s*"([^"]+)"/gi
const urlPassword = /:\/\/[^\s"/:@]*:([^\s"]+)@/g
const keyMember = /"(?:value|\w+Value)"\s*:\s*"([^"]+)"/g

/** @param text a message of OCPP, or JSON that has one, in strings too; it need not be JSON */
export function noteFrame(text: string): void {
  const plain = text.replaceAll('\\', '')
  for (const [, secret = ''] of plain.matchAll(secretMember)) noteSecret(secret, 'frame')
  for (const [, password = ''] of plain.matchAll(urlPassword)) noteSecret(password, 'frame')
  if (!/AuthorizationKey|BasicAuthPassword/.test(plain)) return
  for (const [, secret = ''] of plain.matchAll(keyMember)) noteSecret(secret, 'frame')
}

/** The headers of a request. */
export function noteHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (/^cookie$/i.test(name)) for (const [, each = ''] of value.matchAll(/=([^;]+)/g)) noteSecret(each)
    const [scheme = '', credentials = ''] = /^(?:proxy-)?authorization$/i.test(name) ? value.split(/ +/) : []
    noteSecret(credentials)
    const password = Buffer.from(credentials, 'base64').toString().split(':').slice(1).join(':')
    if (/^basic$/i.test(scheme)) noteSecret(password)
  }
}

/** @param password the key of a station in HTTP Basic */
export function noteKey(stationId: string, password: string | Buffer): void {
  noteSecret(password.toString('latin1'))
  noteSecret(Buffer.concat([Buffer.from(`${stationId}:`), Buffer.from(password)]).toString('base64'))
}

/** Options whose values are secrets, and those that name a file with one. */
const secretOption = /(?:^|_)(?:secret|token|broadcast_key)$/
const secretFile = /^(?:ssl_key|ocpp_auth_file|nats_credentials|nats_nkey)$/

/** The flags and the environment of a bridge. `none` stands for no secret. */
export function noteOptions(flags: readonly string[], env: Readonly<Record<string, string>>): void {
  const pairs = [
    ...flags.map(flag => /^--?([\w-]+)=(.*)$/s.exec(flag)?.slice(1) ?? []),
    ...Object.entries(env).map(([name, value]) => [name.replace(/^ANYCABLE_/, '').toLowerCase(), value]),
  ]
  for (const [name = '', value = ''] of pairs) {
    if (secretOption.test(name) && value !== 'none') noteSecret(value)
    if (secretFile.test(name)) for (const file of value.split(',')) noteFile(file)
    for (const [, password = ''] of value.matchAll(/:\/\/[^\s/:@]*:?([^\s/@]+)@/g)) noteSecret(password)
  }
}

/** A PEM key is known by its lines, a file of keys by its hashes. One that is missing is the test's business. */
function noteFile(file: string): void {
  const text = readable(file)
  for (const [line] of text.matchAll(/[A-Za-z\d+/=]{40,}/g)) noteSecret(line)
}

function readable(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Fails if the text has a secret, in any form. @param isSensitive whether the bridge shows frames (`log_sensitive`) */
export function assertNoSecret(text: string, isSensitive = false): void {
  for (const [secret, kind] of known) {
    if (kind === 'frame' && isSensitive) continue
    for (const form of formsOf(secret)) {
      const at = text.search(form)
      if (at < 0) continue
      assert.fail(`the bridge has written the secret ${JSON.stringify(secret)}: ${text.slice(Math.max(0, at - 200), at + 100)}`) // prettier-ignore
    }
  }
}

function formsOf(secret: string): readonly RegExp[] {
  const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  if (secret.length < leastInWords) return [new RegExp(`"${escaped(secret)}\\\\*"`)]
  const bytes = Buffer.from(secret, 'latin1')
  const coded = bytes.length < 8 ? [] : [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')]
  return [new RegExp(`(?<![\\w-])${escaped(secret)}(?![\\w-])`), ...coded.map(text => new RegExp(escaped(text)))]
}
