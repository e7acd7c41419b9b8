/**
 * Finds the place where a text is not JSON.
 *
 * Pure: no I/O, no clock. Imports nothing.
 */

/**
 * Where a text stops being JSON: the index of the first character that no JSON text has there, or the text's length
 * where the rest is missing. `JSON.parse` names the place only for some faults.
 *
 * @param text of bounded depth, see `boundedElementsOf` of `json.ts`
 */
export function jsonFaultAt(text: string): number {
  const reader = { text, at: 0 }
  skip(reader, whiteSpace)
  if (readValue(reader)) skip(reader, whiteSpace)
  return reader.at
}

type Reader = { readonly text: string; at: number }

const whiteSpace = /[ \t\n\r]*/y
/** The longest valid beginning of a string, without its closing quote. */
const stringBody = /"(?:[ !#-[\]-\uffff]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y
const scalar = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y

/** Reads up to the end of a value, or up to the fault in it. */
function readValue(reader: Reader): boolean {
  const first = reader.text[reader.at]
  if (first === '[') return readList(reader, ']', readValue)
  if (first === '{') return readList(reader, '}', readMember)
  return first === '"' ? readString(reader) : skip(reader, scalar)
}

function readMember(reader: Reader): boolean {
  return reader.text[reader.at] === '"' && readString(reader) && take(reader, ':') && readValue(reader)
}

function readList(reader: Reader, closing: string, readItem: (reader: Reader) => boolean): boolean {
  reader.at++
  if (take(reader, closing)) return true
  while (readItem(reader)) {
    if (take(reader, closing)) return true
    if (!take(reader, ',')) return false
  }
  return false
}

function readString(reader: Reader): boolean {
  skip(reader, stringBody)
  if (reader.text[reader.at] !== '"') return false
  reader.at++
  return true
}

/** Takes a character with the white space around it. */
function take(reader: Reader, character: string): boolean {
  skip(reader, whiteSpace)
  if (reader.text[reader.at] !== character) return false
  reader.at++
  skip(reader, whiteSpace)
  return true
}

function skip(reader: Reader, pattern: RegExp): boolean {
  pattern.lastIndex = reader.at
  const isThere = pattern.test(reader.text)
  if (isThere) reader.at = pattern.lastIndex
  return isThere
}
