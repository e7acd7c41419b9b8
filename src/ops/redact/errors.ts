/**
 * What a CALLERROR may reveal: stations repeat the value that they refuse, a new key included, in its texts.
 *
 * Pure. The members of its details have no names in OCPP, and its description is free text.
 */
import { hasSecret, namesKey } from './names.ts'

/** The message type and the id: what follows are texts of the sender. */
const HEAD = /^\ufeff?\s*\[\s*[45]\s*,\s*(?:"(?:[^"\\]|\\[^])*"|[^\s",][^",]*)?,/

/** Members of details with the refused value. */
const REPEATED = /value$|^key/i

/**
 * As long as the shortest BasicAuthPassword (OCPP 2.0.1 A00.FR.205), in its characters; a key of 1.6 has 32 and more.
 */
const LONG_WORD = /[\w*=:+|@.-]{16,}/g
const KEY = /\d|^[a-f]{32,}$/i

/** Where the texts of a CALLERROR or CALLRESULTERROR begin; at the end of a frame that is neither. */
export function errorTextsFrom(frame: string): number {
  return HEAD.exec(frame)?.[0].length ?? frame.length
}

/** Whether the values of a member of its details are secret. */
export function isRepeated(name: string): boolean {
  return REPEATED.test(name) || namesKey(name)
}

/** Whether a text has a word that may be a key. */
export function hasKey(text: string): boolean {
  return (text.match(LONG_WORD) ?? []).some(word => KEY.test(word))
}

/** Whether a text names a key, has a secret beside its name, or has a word that may be a key. */
export function isRevealing(text: string): boolean {
  return namesKey(text) || hasSecret(text) || hasKey(text)
}
