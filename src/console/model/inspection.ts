/**
 * Holds the frames of an entry against the official schemas.
 *
 * Pure: no DOM.
 */
import type { FrameView } from '../../admin/answers.ts'
import { payloadOf, type Entry } from './frames.ts'
import { violationsOf, type ActionSchemas, type Violation } from './schema.ts'

/** `where`: in the frame that began the entry, or in its answer. */
export type Found = Violation & { readonly where: 'message' | 'answer' }

/** Of a frame that is cut or cannot be read, nothing is known. */
export function inspect({ first, answer }: Entry, schemas: ActionSchemas): readonly Found[] {
  return [...foundIn('message', first, schemas.request), ...foundIn('answer', answer, schemas.response)]
}

function foundIn(where: Found['where'], frame: FrameView | null, schema: ActionSchemas['request']): readonly Found[] {
  const payload = frame === null ? undefined : payloadOf(frame)
  if (schema === null || payload === undefined) return []
  return violationsOf(payload, schema).map(violation => ({ ...violation, where }))
}
