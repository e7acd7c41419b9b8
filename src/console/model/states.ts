/**
 * How each state of a station is shown: by a sign, a word and a tone, so that no state is told by colour alone.
 *
 * Pure: no DOM.
 */
import type { StationState } from '../../admin/answers.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'quiet'
/** A tone that is told without its state. */
export const signs: Readonly<Record<Tone, string>> = { good: '●', warn: '▲', bad: '✕', quiet: '○' }

type Shown = { readonly sign: string; readonly word: string; readonly tone: Tone; readonly meaning: string }

export const states: Readonly<Record<StationState, Shown>> = {
  accepted: {
    sign: '●',
    word: 'Accepted',
    tone: 'good',
    meaning: 'It is connected, and its last boot on this connection was accepted.',
  },
  unknown: {
    sign: '●',
    word: 'Connected',
    tone: 'good',
    meaning: 'The app accepts it. It has not booted on this connection, which is usual after a reconnect.',
  },
  attaching: {
    sign: '◌',
    word: 'Attaching',
    tone: 'warn',
    meaning: 'It is connected, and the app has not accepted it yet.',
  },
  pending: {
    sign: '◐',
    word: 'Pending',
    tone: 'warn',
    meaning: 'Its last boot was answered with Pending. It boots again after the interval that it was told.',
  },
  rejected: {
    sign: '✕',
    word: 'Rejected',
    tone: 'bad',
    meaning: 'Its last boot was answered with Rejected.',
  },
  disconnected: {
    sign: '○',
    word: 'Disconnected',
    tone: 'quiet',
    meaning: 'It has left.',
  },
  refused: {
    sign: '⊘',
    word: 'Refused',
    tone: 'bad',
    meaning: 'Its connection was refused, and the bridge remembers none before.',
  },
}
