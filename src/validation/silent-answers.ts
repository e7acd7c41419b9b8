/**
 * Validates the answers in `[ocpp_silent_answers]` against the official schemas at startup.
 */
import { completeAnswer } from '../ocpp/answers.ts'
import { isFromStation, silentAnswerFor, versions, type Version } from '../ocpp/version.ts'
import { violationsInWords } from '../ocpp/violations.ts'
import type { Schemas } from '../session/ports.ts'
import type { SilentSettings } from '../translate/answers.ts'

/** @returns one line for each answer that is invalid in a served version */
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
        return `ocpp_silent_answers.${action}: not a valid answer in OCPP ${row.number}: ${violationsInWords(violations)}`
      if (silentAnswerFor(row, action)?.mintsTransactionId !== true) return []
      return `ocpp_silent_answers.${action}: every transaction would get the same id; "anycable" generates one for each`
    })
  })
}
