/**
 * Slices JSON text without changing a byte of it, and says what can be parsed at little cost.
 *
 * `JSON.parse` followed by `JSON.stringify` turns `2935.600` into `2935.6` and drops the first of two equal keys. A
 * meter value must pass through unchanged, so payloads are kept as their original text.
 *
 * Pure: no I/O, no clock. Imports nothing outside `ocpp/`.
 */

/** The text of one whole JSON value, including its inner whitespace. */
export type JsonText = string & { readonly __brand: 'JsonText' }

export const emptyObject = '{}' as JsonText

export function jsonText(value: unknown): JsonText {
  return JSON.stringify(value) as JsonText
}

/** A copy: a slice of a text keeps the whole text alive, which may be a whole message. */
export function copyOf<Text extends string>(text: Text): Text {
  return Buffer.from(text).toString() as Text
}

/** The text of each element of an array. `text` must be a valid JSON array. */
export function elementsOf(text: string): JsonText[] {
  return scan(text).parts.map(part => part.trim() as JsonText)
}

/**
 * The text of each member of an object. The last of equal keys wins, as in `JSON.parse`.
 * `text` must be a valid JSON object.
 */
export function membersOf(text: string): Map<string, JsonText> {
  const members = new Map<string, JsonText>()
  for (const part of scan(text).parts) {
    const opening = part.indexOf('"')
    const closing = endOfString(part, opening)
    const name = part.slice(opening + 1, closing)
    const key = name.includes('\\') ? (JSON.parse(`"${name}"`) as string) : name
    members.set(key, part.slice(part.indexOf(':', closing) + 1).trim() as JsonText)
  }
  return members
}

/** What a text may have at most. Hostile text costs a hundred times as much to parse as to scan. */
export type Bounds = {
  /** Elements of the outermost array, or members of the outermost object. */
  readonly parts: number
  /** `[]`: 1 */
  readonly depth: number
  /** Values of any kind, at every depth; an empty array or object may count as two. */
  readonly values: number
}

/** The text of each element of an array, without parsing; `null` beyond the bounds. */
export function boundedElementsOf(text: string, bounds: Bounds): JsonText[] | null {
  const { parts, isWithin } = scan(text, bounds)
  return isWithin ? parts.map(part => part.trim() as JsonText) : null
}

/**
 * Whether a text of the app can be parsed at little cost. True for a text that is neither an array nor an object, which
 * is cheap.
 */
export function isParsable(text: string): boolean {
  return text.length <= alwaysCheap || scan(text, appBounds).isWithin
}

/**
 * `isParsable` of a text that is longer than `alwaysCheap`, in steps. Each call checks so many characters, more if a
 * string ends later. Not called again once it has returned something.
 *
 * @returns a function; its result is `null` until the verdict is known
 */
export function parsableInSteps(text: string): (characters: number) => boolean | null {
  const scan = new Scan(text, appBounds)
  return characters => (scan.run(characters) ? scan.isWithin : null)
}

/** In characters. */
export const alwaysCheap = 16_384
/** A batch of broadcasts has one part for each. */
const appBounds: Bounds = { parts: 10_000, depth: 64, values: 80_000 }

/** The value of a text; `undefined` if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The value of an object; `{}` for any other text. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  const value = parseJson(text)
  return isObject(value) ? value : {}
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openArray = 0x5b
const backslash = 0x5c
const closeArray = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/**
 * Most different names of members in a text; all versions of OCPP together have a thousand. V8 makes room for each new
 * name, which takes ten times as long as the value behind it.
 */
const maxNames = 4_096
/** In characters. A shorter text cannot have so many. */
const leastForNames = 5 * maxNames

const boundless: Bounds = { parts: Infinity, depth: Infinity, values: Infinity }

/** Splits a bracketed text at its outermost commas. Stops when a bound is exceeded. */
class Scan {
  readonly parts: string[] = []
  isWithin = true
  readonly #text: string
  readonly #bounds: Bounds
  readonly #names: Names | null
  #at = 0
  /** Where the current part begins. */
  #from = 0
  #depth = 0
  #values = 0

  constructor(text: string, bounds = boundless) {
    this.#text = text
    this.#bounds = bounds
    this.#names = bounds !== boundless && text.length >= leastForNames ? new Names() : null
  }

  /**
   * Scans so many characters, more if a string ends later.
   *
   * @returns whether the scan is complete; it is not called again then
   */
  run(characters = Infinity): boolean {
    const text = this.#text
    const end = Math.min(text.length, this.#at + characters)
    let at = this.#at
    for (; at < end; at++) {
      switch (text.charCodeAt(at)) {
        case quote: {
          const opening = at
          at = endOfString(text, at)
          if (this.#names !== null && isName(text, at) && !this.#names.take(text, opening, at)) return this.#exceed()
          break
        }
        case openArray:
        case openObject:
          if (++this.#depth > this.#bounds.depth || ++this.#values > this.#bounds.values) return this.#exceed()
          if (this.#depth === 1) this.#from = at + 1
          break
        case comma:
          if (++this.#values > this.#bounds.values) return this.#exceed()
          if (this.#depth === 1 && this.#endPart(at) > this.#bounds.parts) return this.#exceed()
          break
        case closeArray:
        case closeObject:
          if (--this.#depth > 0) break
          if (this.parts.length > 0 || text.slice(this.#from, at).trim() !== '') this.#endPart(at)
          this.isWithin = this.parts.length <= this.#bounds.parts
          return true
      }
    }
    this.#at = at
    return at >= text.length
  }

  /** @returns how many there are */
  #endPart(at: number): number {
    const count = this.parts.push(this.#text.slice(this.#from, at))
    this.#from = at + 1
    return count
  }

  #exceed(): true {
    this.isWithin = false
    return true
  }
}

function scan(text: string, bounds = boundless): Scan {
  const whole = new Scan(text, bounds)
  whole.run()
  return whole
}

/** The different names of a text. */
class Names {
  readonly #all = new Set<string>()
  /** The latest by length. Most names are among them, and need not be cut out of the text. */
  readonly #latest: string[] = []

  /** @returns whether there are not too many */
  take(text: string, opening: number, closing: number): boolean {
    const length = closing - opening
    const latest = this.#latest[length % latestNames]
    if (latest?.length === length && text.startsWith(latest, opening)) return true
    const name = text.slice(opening, closing)
    this.#latest[length % latestNames] = name
    return this.#all.add(name).size <= maxNames
  }
}

const latestNames = 64

const colonLater = /[ \t\n\r]*:/y

/** Whether the string that ends at `closing` is the name of a member. */
function isName(text: string, closing: number): boolean {
  const next = text.charCodeAt(closing + 1)
  if (next === colon || next === comma) return next === colon
  colonLater.lastIndex = closing + 1
  return colonLater.test(text)
}

/** The closing quote of the string at `opening`: the next quote after an even number of backslashes. */
function endOfString(text: string, opening: number): number {
  for (let closing = text.indexOf('"', opening + 1); closing !== -1; closing = text.indexOf('"', closing + 1)) {
    let before = closing - 1
    while (text.charCodeAt(before) === backslash) before--
    if ((closing - before) % 2 === 1) return closing
  }
  return text.length
}

/** How `cable/broadcast.ts` reads the texts in a publication. */
export const slicing = { elementsOf, membersOf }
