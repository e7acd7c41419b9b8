/**
 * Masks a text that is not JSON, where nobody can tell which value belongs to which member: shows what is known to be
 * harmless, and masks all the rest.
 *
 * Pure. What is shown: punctuation, the words of `vocabulary.ts`, timestamps, and the numbers right behind members
 * whose values are numbers, so that the energy of a broken StopTransaction can be booked.
 */
import { isCount, isKnownWord } from './vocabulary.ts'

const MASK = '***'

/** Longer than any known word, number or transaction id. */
const LONGEST = 40

/** A timestamp, or whatever stands between punctuation. */
const TOKEN =
  /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![^\s"'{}[\]:,;=\\])|[^\s"'{}[\]:,;=\\]+/g
const TIMESTAMP = /^\d{4}-\d\d-\d\dT/
const NUMBER = /^-?\d{1,20}(?:\.\d{1,20})?$/

/** The message type, and the id where an action and an object, or the object of an answer, follow it. */
const HEAD =
  /^\s*\[\s*-?\d\s*,(?:\s*(?:(["'])[^"'\\,:]{0,36}\1|\d{1,20})\s*,(?=\s*(?:(["'])[a-z]{1,40}\2\s*,\s*)?\{))?/i

/** Between a member's name and its value, whose colon or quotes may be what is missing. */
const IS_VALUE = /^[\s"':=]*$/
/** Between two masked tokens of one value. */
const IS_INSIDE = /^[\s:,;=]*$/
/** One word by itself, as some stations send to keep the connection open. */
const SINGLE_WORD = /^\s*[a-z]{1,40}[\s.!?]*$/i

/** The values of configuration keys may be passwords of digits; those of meters are beside this name. */
const METER = /sampledValue/i
/** In 2.x the id of a transaction is a text. */
const TEXT_IDS = /transactionInfo/i
const TEXT_ID = /^[\w-]{1,36}$/

/** Characters that are kept of a long text, at its beginning and at its end. */
export const ENDS = { head: 12_288, tail: 4_096 }
const SEPARATOR = /[\s"'{}[\]:,;=\\]/

export function redactBroken(text: string): string {
  return SINGLE_WORD.test(text) ? text : redactMessage(text)
}

/**
 * Redacts the head and the tail of a text longer than both, JSON or not, with the number of characters between them:
 * `…...(4711)…`. Where members begin and end is unknown behind the gap. No number or word is shown in part.
 */
export function redactEnds(text: string): string {
  const to = separatorFrom(text, ENDS.head)
  const from = separatorFrom(text, text.length - ENDS.tail)
  return `${redactMessage(text.slice(0, to))}...(${from - to})${redactTokens(text.slice(from))}`
}

/** What is longer than any word or number is masked, and may be cut anywhere. */
function separatorFrom(text: string, at: number): number {
  const found = text.slice(at, at + LONGEST).search(SEPARATOR)
  return at + (found === -1 ? LONGEST : found)
}

function redactMessage(text: string): string {
  const head = HEAD.exec(text)?.[0] ?? ''
  return head + redactTokens(text.slice(head.length))
}

function redactTokens(text: string): string {
  const hasMeter = METER.test(text)
  const hasTextIds = TEXT_IDS.test(text)
  let shown = ''
  let from = 0
  let name = ''
  let isMasked = false
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const gap = text.slice(from, index)
    const member = name !== '' && IS_VALUE.test(gap) ? name : ''
    from = index + token.length
    // More may belong to the value: a tag of `04:A2:…`, or the rest of a tag with an escape in it.
    const isWhole = !/[:=\\]/.test(text[from] ?? '')
    const isWord = token.length <= LONGEST && isKnownWord(token)
    const isHarmless =
      isWord || TIMESTAMP.test(token) || (isWhole && isHarmlessValue(member, token, { hasMeter, hasTextIds }))
    name = isWord ? token.toLowerCase() : ''
    if (isHarmless) shown += gap + token
    else if (!isMasked || !IS_INSIDE.test(gap)) shown += gap + MASK
    isMasked = !isHarmless
  }
  return shown + text.slice(from)
}

type Mentions = { readonly hasMeter: boolean; readonly hasTextIds: boolean }

function isHarmlessValue(member: string, token: string, { hasMeter, hasTextIds }: Mentions): boolean {
  if (!isCount(member) || token.length > LONGEST || (member === 'value' && !hasMeter)) return false
  return NUMBER.test(token) || (member === 'transactionid' && hasTextIds && TEXT_ID.test(token))
}
