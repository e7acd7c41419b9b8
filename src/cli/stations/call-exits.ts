/**
 * The exit codes of `ocpp-cable call`, by the problems of the admin API.
 *
 * Pure.
 */
import type { ProblemName } from '../../admin/problems.ts'
import { exits } from '../command.ts'

type CallExit = { readonly code: number; readonly meaning: string; readonly problems: readonly ProblemName[] }

export const invalidPayloadExit = 6

export const callExits: readonly CallExit[] = [
  { code: 0, meaning: 'the station answered with a CALLRESULT', problems: [] },
  { code: 3, meaning: 'the station answered with a CALLERROR', problems: ['call-error'] },
  { code: 4, meaning: 'the station did not answer in time', problems: ['call-timeout', 'not-sent'] },
  {
    code: 5,
    meaning: 'the station is not connected, unknown, or left before its answer',
    problems: ['not-connected', 'unknown-station', 'connection-closed'],
  },
  {
    code: invalidPayloadExit,
    meaning: 'the payload is invalid, or the version of the station has no such action',
    problems: ['invalid-payload', 'unknown-action'],
  },
]

export function exitOf(problem: ProblemName): number {
  return callExits.find(({ problems }) => problems.includes(problem))?.code ?? exits.failed
}
