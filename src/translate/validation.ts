/**
 * Decides which messages are validated against their schemas, and with which consequence.
 *
 * Pure: no I/O, no clock.
 */

/** `warn` passes an invalid message on, with its violations; `strict` refuses it. */
export type ValidationMode = 'off' | 'warn' | 'strict'

/** One table of `[[ocpp_validation]]`. The first that matches a message overrides the option of its direction. */
export type ValidationRule = {
  /** A pattern for the station identity: `*` matches any text, `?` one character. */
  readonly station: string
  /** An action as OCPP spells it, or `*`. */
  readonly action: string
  readonly mode: ValidationMode
}

export type ValidationSettings = {
  /** For CALLs and SENDs from stations, and their answers to remote commands. */
  readonly validateIn: ValidationMode
  /** For remote commands. */
  readonly validateOut: ValidationMode
  /** For the app's answers to stations. */
  readonly validateAcks: ValidationMode
  readonly validation: readonly ValidationRule[]
}

/** Each direction has its option in `ValidationSettings`. */
export type Direction = 'in' | 'out' | 'acks'

/** The option that decides for each direction, where no rule does. */
export const optionOf = { in: 'validateIn', out: 'validateOut', acks: 'validateAcks' } as const
const noRules: readonly ValidationRule[] = []

/** The rules for a station. Matches the patterns once, instead of for every message. */
export function rulesFor(stationId: string, { validation }: ValidationSettings): readonly ValidationRule[] {
  return validation.length === 0 ? noRules : validation.filter(({ station }) => fits(stationId, station))
}

/**
 * The validation mode of a message.
 *
 * @param rules the rules for the station, from `rulesFor`
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
 * Whether a pattern matches a whole text, case-sensitively. Backtracks to the last `*` only, which is sufficient, so it
 * takes at most one pass over the pattern per character. A RegExp could take exponential time.
 */
export function fits(text: string, pattern: string): boolean {
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
