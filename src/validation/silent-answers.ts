/**
 * The answers that an operator wrote (`[ocpp_silent_answers]`), held against the official schemas before any station gets one.
 */
import { completeAnswer } from '../ocpp/answers.ts'
import { isFromStation, silentAnswerFor, versions, type Version } from '../ocpp/version.ts'
import { violationsInWords } from '../ocpp/violations.ts'
import type { Schemas } from '../session/ports.ts'
import type { SilentSettings } from '../translate/answers.ts'

/** One line for each answer that a version's schema does not allow. */
export function silentAnswerProblems(
  { silentAnswers }: SilentSettings,
  served: readonly Version[],
  schemas: Schemas,
): string[] {
  const known = (action: string): readonly Version[] =>
    served.filter(version => isFromStation(versions[version], action))
  return Object.entries(silentAnswers).flatMap(([action, override]) => {
    if (override.kind === 'mode') return []
    const asked = { payload: override.payload, now: new Date(0).toISOString(), heartbeatIntervalSeconds: 1 }
    const payload = completeAnswer(action, override.payload, { ...asked, transactionId: null })
    return known(action).flatMap(version => {
      const row = versions[version]
      const violations = schemas.violations(version, action, 'response', payload)
      if (violations.length > 0)
        return `ocpp_silent_answers.${action}: no valid answer in OCPP ${row.number}: ${violationsInWords(violations)}`
      if (silentAnswerFor(row, action)?.mintsTransactionId !== true) return []
      return `ocpp_silent_answers.${action}: each transaction would have the same id; "anycable" makes one for each`
    })
  })
}
