/**
 * Text of stations, made visible. lit-html escapes markup; this is for what the eye cannot see.
 *
 * Pure: no DOM.
 */

/** Control characters, line breaks and characters that change the direction of text, as escapes. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => {
    const code = character.codePointAt(0) ?? 0
    return `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** A number as people read it. */
export function numberText(value: number): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: 1 })
}

/** A number of things: `1 message`, `2 messages`. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : many}`
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 ** 2 ? `${numberText(bytes / 1024)} KiB` : `${numberText(bytes / 1024 ** 2)} MiB`
}
