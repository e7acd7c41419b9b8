/**
 * Reads watched frames, and finds the CALL that an answer belongs to.
 *
 * Only the beginning of a frame is read, in the same way for every version: a watched message is not parsed twice.
 */
import { copyOf } from '../../ocpp/json.ts'
import { setRecent } from '../../ops/recent.ts'
import type { Who } from '../../session/ports.ts'
import type { FrameView } from '../answers.ts'
import { limits } from '../limits.ts'

type Head = Pick<FrameView, 'type' | 'id' | 'action'>
type Paired = Head & Pick<FrameView, 'milliseconds'>

/** In characters: ids and actions are what a station chooses. */
const maxText = 255

const types = { 2: 'call', 3: 'callResult', 4: 'callError', 5: 'callResultError', 6: 'send' } as const
const head =
  /^\ufeff?\s*\[\s*([2-6])\s*,\s*("(?:[^"\\]|\\.){0,300}"|-?[\d.eE+-]{1,300})\s*,\s*("(?:[^"\\]|\\.){0,300}")?/

export class Pairs {
  readonly #open = new Map<string, { readonly action: string; readonly at: number }>()

  /** @param now in ms */
  read({ sid }: Who, direction: 'received' | 'sent', text: string, now: number): Paired {
    const { type, id, action } = headOf(text)
    if (type === 'call' && id !== null && action !== null) {
      setRecent(this.#open, `${sid} ${direction} ${id}`, { action, at: now }, limits.openCalls)
      return { type, id, action, milliseconds: null }
    }
    if (type !== 'callResult' && type !== 'callError') return { type, id, action, milliseconds: null }
    const key = `${sid} ${direction === 'sent' ? 'received' : 'sent'} ${id ?? ''}`
    const call = this.#open.get(key)
    this.#open.delete(key)
    return { type, id, action: call?.action ?? null, milliseconds: call === undefined ? null : rounded(now - call.at) }
  }

  clear(): void {
    this.#open.clear()
  }
}

function headOf(text: string): Head {
  const [, number, id = '', third] = head.exec(text) ?? []
  if (number === undefined) return { type: 'malformed', id: null, action: null }
  const type = types[Number(number) as keyof typeof types]
  const hasAction = type === 'call' || type === 'send'
  return { type, id: textOf(id), action: hasAction && third !== undefined ? textOf(third) : null }
}

function textOf(json: string): string {
  return copyOf(unquoted(json).slice(0, maxText))
}

function unquoted(json: string): string {
  try {
    return String(JSON.parse(json))
  } catch {
    return json
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10
}
