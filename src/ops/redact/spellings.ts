/**
 * How a program may write a secret into the text of an exception.
 *
 * Pure but for `Buffer`.
 */

/** In Ruby's `inspect`. */
const rubyEscapes: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['#', '\\#'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\v', '\\v'],
  ['\f', '\\f'],
  ['\r', '\\r'],
  ['\x1b', '\\e'],
])
const htmlEscapes: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** As it is, in either case, as Ruby, JSON, Rails, HTML and URLs escape it, in hexadecimal digits, and as base64. */
export function spellingsOf(bytes: Buffer): readonly string[] {
  const text = bytes.toString()
  const json = JSON.stringify(text).slice(1, -1)
  const hex = bytes.toString('hex')
  const spellings = [
    text,
    text.toLowerCase(),
    text.toUpperCase(),
    // A string of text, and one of bytes.
    text.replace(/["\\\p{Cc}]|#(?=[{$@])/gu, rubyEscaped),
    bytes.toString('latin1').replace(/["\\\p{Cc}\x80-\xff]|#(?=[{$@])/gu, rubyEscaped),
    json,
    json.replace(/[<>&\u2028\u2029]/g, each => `\\u${hexOf(each, 4)}`),
    text.replace(/[&<>"']/g, each => htmlEscapes.get(each) ?? each),
    encodeURIComponent(text),
    hex,
    hex.toUpperCase(),
    bytes.toString('base64').replace(/=+$/, ''),
  ]
  return [...new Set(spellings)]
}

function rubyEscaped(character: string): string {
  return rubyEscapes.get(character) ?? `\\x${hexOf(character, 2).toUpperCase()}`
}

function hexOf(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0')
}
