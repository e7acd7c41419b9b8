/**
 * What the routes of the console do.
 */
import { isFromStation, versions, type Version } from '../../ocpp/version.ts'
import { isObject, parseJson } from '../../ocpp/json.ts'
import type { Facts } from '../ports.ts'
import { ProblemError } from '../problems.ts'
import type { Warning } from './answers.ts'
import type { Series } from './series.ts'

export type ConsoleParts = { readonly facts: Pick<Facts, 'warnings' | 'schemaOf'>; readonly series: Series }
type Asked = { readonly parameters: Readonly<Record<string, string>> }

export function consoleOperations({ facts, series }: ConsoleParts) {
  return {
    listWarnings: () => ({ warnings: facts.warnings().map(warningOf).reverse() }),
    getSeries: () => ({ seconds: series.seconds, samples: series.samples }),
    listActions: ({ parameters }: Asked) => {
      const row = versions[versionIn(parameters)]
      const fromStation = [...Object.keys(row.silentAnswers), ...row.sends].sort()
      return { toStation: [...row.toStation].sort(), fromStation }
    },
    getSchemas: ({ parameters }: Asked) => {
      const version = versionIn(parameters)
      const { action = '' } = parameters
      const row = versions[version]
      if (!row.toStation.has(action) && !isFromStation(row, action) && !row.sends.has(action))
        throw new ProblemError('unknown-schema', `${row.number} has no action ${JSON.stringify(action.slice(0, 64))}`)
      const request = facts.schemaOf(version, action, 'request')
      return { request, response: facts.schemaOf(version, action, 'response') }
    },
  }
}

function versionIn({ version: number }: Asked['parameters']): Version {
  const found = Object.entries(versions).find(([, row]) => row.number === number)
  if (found === undefined) throw new ProblemError('unknown-schema', 'The version must be 1.6, 2.0.1 or 2.1')
  return found[0] as Version
}

/** @param line of the log, as JSON */
function warningOf(line: string): Warning {
  const parsed = parseJson(line)
  const { time, level, msg, ...fields } = isObject(parsed) ? parsed : {}
  return { at: String(time), level: level === 'ERROR' ? 'error' : 'warn', message: String(msg), fields }
}
