import { boundedElementsOf, type JsonText } from '../../src/ocpp/json.ts'

/** The text of each element of a valid JSON array, however many there are and however deep they nest. */
export function elementsOf(text: string): JsonText[] {
  return boundedElementsOf(text, { parts: Infinity, depth: Infinity }) ?? []
}
