/**
 * What the log says about a message that the app performed without an Ack.
 */
import { silenceNotice, type Choice, type SilentSettings } from '../../translate/answers.ts'
import type { Station } from '../station.ts'

export type SilenceSettings = SilentSettings & {
  readonly granularActions: boolean
  /** How long to wait for an Ack that comes by a broadcast, after the action has run; 0: not at all. */
  readonly ackTimeoutMs: number
}

/** The parameters are those of `silenceNotice`. */
export function warnOfSilence(
  { settings, who, world }: Station<SilenceSettings>,
  action: string,
  choice: Choice,
  isDecision: boolean,
  isTransaction: boolean,
): void {
  const notice = silenceNotice(action, choice, isDecision, isTransaction, settings.granularActions)
  if (notice !== null) world.once(`silent ${action}`, { ...who, action }, notice)
}
