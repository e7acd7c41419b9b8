/**
 * Masks the secrets of drivers and stations in frames before they are logged.
 *
 * Pure. Works on the text, so the rest of the frame stays exactly as sent. In a text that is not JSON nobody can tell
 * the secrets from the rest: `redact-broken.ts` shows only what is known to be harmless.
 */
import { errorTextsFrom, hasKey, isRepeated, isRevealing } from './errors.ts'
import { hasSecret, isSecretName, namesKey } from './names.ts'
import { ENDS, redactBroken, redactEnds } from './redact-broken.ts'
import { hasUrlSecret, maskUrls } from './urls.ts'

/** Characters of a frame that are logged. */
const SHOWN = 1000

/** Characters scanned for secrets. Limits the cost of logging a long frame; a value's name may follow far behind it. */
const READ = 16_384

/** Deepest nesting of a frame; brackets in its texts count, too. */
const DEEPEST = 32

/** Characters that are logged of the text before a fault. */
const BEFORE = 60

const MASK = '"***"'

/** Members with the value of a variable, or with texts that may repeat it, wherever OCPP has them. */
const VALUE = /value(?:s|sList)?$|info$|^techCode$/i

/** The only message whose `data` tells of a customer, by its name or by a member that no DataTransfer has. */
const CUSTOMER = /"(?:NotifyCustomerInformation|generatedAt)"/

const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"?|[{}[\]:,]|[^\s"{}[\]:,]+/g

type Span = { readonly start: number; readonly end: number }

/** An object or array that is open at the current position. */
type Container = {
  readonly isObject: boolean
  /** The name of the member whose value this container is. */
  readonly name: string
  /** Whether it stands in a secret member, so that all in it is secret. */
  readonly isInside: boolean
  /** Whether the container names a secret variable or is a signed meter value, so that its values are secret. */
  secret: boolean
  /** Values that are secret if this container or an enclosing one turns out to name a secret variable. */
  readonly values: Span[]
}

/**
 * Masks tags, tokens, keys, certificates and the values of secret variables, and truncates the frame to 1,000
 * characters, followed by the number of omitted characters: `…...(4711)`. A value is masked when the scanned text ends
 * before its name is known.
 */
export function redactFrame(text: string): string {
  const read = text.slice(0, READ)
  const masked = isJson(text) ? redactJson(read) : redactBroken(read)
  const left = masked.length - SHOWN + (text.length - read.length)
  return left > 0 ? `${masked.slice(0, SHOWN)}...(${left})` : masked
}

/** Truncates in the same way, and masks nothing: for `log_sensitive`. */
export function cutFrame(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...(${text.length - SHOWN})` : text
}

/** Masks the same, and truncates nothing. */
export function redactWhole(text: string): string {
  return isJson(text) ? redactJson(text) : redactBroken(text)
}

/**
 * For the few messages of which the log keeps the only copy. A payload stays whole: it is one of a transaction that the
 * app knows. A broken message, of which any station may send many, is cut to its head and its tail where it has more
 * than 16,384 characters.
 */
export function redactKept(text: string): string {
  return isLongAndBroken(text) ? redactEnds(text) : redactWhole(text)
}

/** A payload that was read is an object, and begins as one; a broken message with an action does not. */
function isLongAndBroken(text: string): boolean {
  return text.length > ENDS.head + ENDS.tail && !text.startsWith('{')
}

/** `redactKept`, unmasked. */
export function cutKept(text: string): string {
  const left = text.length - ENDS.head - ENDS.tail
  return isLongAndBroken(text) ? `${text.slice(0, ENDS.head)}...(${left})${text.slice(-ENDS.tail)}` : text
}

/**
 * The description of a CALLERROR, for what is kept of it. It is masked whole where it may repeat a key, or where the
 * CALL that it answers has one.
 *
 * @param payload of that CALL
 */
export function redactDescription(description: string, payload: string): string {
  const mayRepeat = namesKey(payload) || hasUrlSecret(payload)
  return mayRepeat || isRevealing(description) ? '***' : maskUrls(description)
}

/**
 * The last characters before the place where a text stops being JSON, masked; none where that is beyond what is
 * scanned.
 */
export function redactBefore(text: string, at: number): string {
  return at > READ ? '' : redactBroken(text.slice(0, at)).slice(-BEFORE)
}

/** The same, unmasked. */
export function cutBefore(text: string, at: number): string {
  return text.slice(Math.max(0, at - BEFORE), at)
}

/** The texts and numbers in a JSON text that would be masked, also those of JSON in a text; as far as it is scanned. */
export function secretsIn(text: string): readonly string[] {
  const read = text.slice(0, READ)
  return secretsOf(read).flatMap(({ start, end }) => {
    const token = read.slice(start, end)
    if (!/^["\d-]/.test(token)) return []
    const value = unquoted(token)
    return /^\s*[[{]/.test(value) ? [value, ...secretsIn(value)] : [value]
  })
}

/**
 * Whether a text is JSON, behind a byte order mark. One that nests deeper than any frame counts as none: endless
 * nesting costs a hundred times as much to parse as other texts.
 */
function isJson(text: string): boolean {
  if (isDeep(text)) return false
  try {
    JSON.parse(text.replace(/^\ufeff/, ''))
    return true
  } catch {
    return false
  }
}

function isDeep(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > DEEPEST) return true
  }
  return false
}

/** @param text JSON, or the beginning of a text that is JSON */
function redactJson(text: string): string {
  return maskUrls(mask(text, secretsOf(text)))
}

function secretsOf(text: string): Span[] {
  const secrets: Span[] = []
  const open: Container[] = []
  const errorFrom = errorTextsFrom(text)
  const isOfCustomer = CUSTOMER.test(text)
  let key: string | null = null
  let last = ''
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      const isInside = open.at(-1)?.isInside === true || isSecretName(key ?? '')
      open.push({ isObject: token === '{', name: key ?? '', isInside, secret: false, values: [] })
      key = null
    } else if (token === '}' || token === ']') {
      close(open, secrets)
      key = null
    } else if (token === ':') {
      key = last
    } else if (token === ',') {
      key = null
    } else {
      last = unquoted(token)
      const span = { start: index, end: index + token.length }
      const isSecret = (index >= errorFrom && isSecretOfError(key, last, open)) || (isOfCustomer && key === 'data')
      if (isSecret) secrets.push(span)
      else readValue(key, last, span, open.at(-1), secrets)
    }
  }
  return [...secrets, ...open.flatMap(container => container.values)].sort((a, b) => a.start - b.start)
}

/** A station may repeat a key as the name of a member, too. */
function isSecretOfError(key: string | null, text: string, open: readonly Container[]): boolean {
  const isName = key === null && open.at(-1)?.isObject === true
  if (isName) return hasKey(text)
  return isRevealing(text) || [key ?? '', ...open.map(({ name }) => name)].some(isRepeated)
}

function readValue(key: string | null, text: string, span: Span, parent: Container | undefined, secrets: Span[]): void {
  const isKey = key === null && parent?.isObject === true
  if (isKey) return
  const name = key ?? parent?.name ?? ''
  const isSecret = parent?.isInside === true ? name !== 'type' : isSecretName(name) || isVpnKey(name, parent)
  if (isSecret || hasSecret(text)) secrets.push(span)
  else if (VALUE.test(name)) parent?.values.push(span)
  else if (parent !== undefined) parent.secret ||= isMark(name, text)
}

function isVpnKey(name: string, parent: Container | undefined): boolean {
  return name === 'key' && parent?.name === 'vpn'
}

/** What makes the values beside it secret: the name of a variable, or the format of a signed meter value of 1.6. */
function isMark(name: string, text: string): boolean {
  return (/^(key|name)$/i.test(name) && isSecretName(text)) || (name === 'format' && text === 'SignedData')
}

/** 1.6 has name and value in one object; 2.x has the name one object deeper, and a report has an array of values. */
function close(open: Container[], secrets: Span[]): void {
  const closed = open.pop()
  if (closed === undefined) return
  const parent = open.at(-1)
  if (closed.secret) append(secrets, closed.values)
  else if (parent !== undefined) append(parent.values, closed.values)
  if (closed.secret && closed.isObject && parent?.isObject === true) parent.secret = true
}

/** `push(...spans)` would overflow the stack: a message may have 100,000 values. */
function append(list: Span[], spans: readonly Span[]): void {
  for (const span of spans) list.push(span)
}

function unquoted(token: string): string {
  if (!token.includes('\\')) return token.replace(/^"|"$/g, '')
  try {
    return String(JSON.parse(token))
  } catch {
    return token
  }
}

function mask(text: string, secrets: readonly Span[]): string {
  let shown = ''
  let from = 0
  for (const { start, end } of secrets) {
    shown += text.slice(from, start) + MASK
    from = end
  }
  return shown + text.slice(from)
}
