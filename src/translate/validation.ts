/**
 * Which messages are held against their schemas, and what becomes of one that breaks its own.
 *
 * Pure: no I/O, no clock.
 */

/** `warn` passes the message on and says what is wrong with it; `strict` refuses it. */
export type ValidationMode = 'off' | 'warn' | 'strict'

/** One row of `[[ocpp_validation]]`: the first that fits a message decides, before the options of its direction. */
export type ValidationRule = {
  /** A pattern for the station's identity: `*` stands for any text, `?` for one character. */
  readonly station: string
  /** An action's name as OCPP spells it, or `*`. */
  readonly action: string
  readonly mode: ValidationMode
}

export type ValidationSettings = {
  /** CALLs and SENDs of stations, and their answers to remote commands. */
  readonly validateIn: ValidationMode
  /** Remote commands. */
  readonly validateOut: ValidationMode
  /** The app's answers to stations. */
  readonly validateAcks: ValidationMode
  readonly validation: readonly ValidationRule[]
}

/** Each with its option in `ValidationSettings`. */
export type Direction = 'in' | 'out' | 'acks'

/** The option that decides for each direction, where no rule does. */
export const optionOf = { in: 'validateIn', out: 'validateOut', acks: 'validateAcks' } as const
const noRules: readonly ValidationRule[] = []

/** The rules for a station: its patterns are matched here, once for all messages. */
export function rulesFor(stationId: string, { validation }: ValidationSettings): readonly ValidationRule[] {
  return validation.length === 0 ? noRules : validation.filter(({ station }) => fits(stationId, station))
}

/**
 * How a message is held against its schema.
 *
 * @param rules those for its station
 */
export function modeOf(
  direction: Direction,
  action: string,
  rules: readonly ValidationRule[],
  settings: ValidationSettings,
): ValidationMode {
  return rules.find(rule => rule.action === '*' || rule.action === action)?.mode ?? settings[optionOf[direction]]
}

/**
 * Whether a pattern fits a whole text, upper and lower case apart. Only the last `*` is ever taken back, as the ones
 * before it can do no better: at most one pass over the pattern for each character, where a RegExp might need ages.
 */
function fits(text: string, pattern: string): boolean {
  const characters = Array.from(text)
  const wanted = Array.from(pattern)
  let next = 0
  let star = -1
  let afterStar = 0
  for (let at = 0; at < characters.length;) {
    if (wanted[next] === '*') {
      star = next++
      afterStar = at
    } else if (wanted[next] === '?' || wanted[next] === characters[at]) {
      next++
      at++
    } else if (star === -1) {
      return false
    } else {
      next = star + 1
      at = ++afterStar
    }
  }
  return wanted.slice(next).every(character => character === '*')
}
