/**
 * How the connection of a station ends that should come back (`ocpp_close`): by a close handshake, or by a cut. Some
 * stations do not return after a clean close (lbbrhzn/ocpp#1975).
 *
 * Pure.
 */
import { fits } from './validation.ts'

export type CloseMode = 'frame' | 'abort'

/** One element of the option; the first that matches a station applies. */
export type CloseRule = {
  /** A pattern for the station identity, as in `ValidationRule`. */
  readonly station: string
  readonly mode: CloseMode
}

export function closeModeFor(stationId: string, rules: readonly CloseRule[]): CloseMode {
  return rules.find(({ station }) => fits(stationId, station))?.mode ?? 'frame'
}

/** Reads `frame`, `abort` or a pattern and one of them, as in `ACME-*:abort`; the last colon counts. */
export function parseCloseRule(text: string): CloseRule | undefined {
  const [, station = '*', word] = /^(?:(.+):)?(frame|abort)$/i.exec(text) ?? []
  const mode = word?.toLowerCase()
  return mode === 'frame' || mode === 'abort' ? { station, mode } : undefined
}

export function serializeCloseRule({ station, mode }: CloseRule): string {
  return station === '*' ? mode : `${station}:${mode}`
}
