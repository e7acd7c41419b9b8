/**
 * Escapes what a terminal would not show as text. Everything that a station, the app or the API sends goes through
 * here.
 *
 * Pure.
 */

/**
 * Control characters (among them the escape of terminal sequences), those that change the direction of text or are
 * invisible, line and paragraph separators, unpaired surrogates and private characters, as `\u001b`.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

/** @param keepsLines whether line breaks stay, in a text of several lines of our own */
export function escaped(text: string, { keepsLines = false } = {}): string {
  return text.replace(unsafe, character => {
    if (keepsLines && character === '\n') return character
    const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
    return units.map(unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
  })
}
