/**
 * The kinds of value that name single OCPP actions: which messages are validated, and the answers for a silent app.
 *
 * Pure.
 */
import { jsonText, parseObject } from '../ocpp/json.ts'
import { silentAnswerFor, versions } from '../ocpp/version.ts'
import type { SilentMode, SilentOverride } from '../translate/answers.ts'
import type { ValidationMode, ValidationRule } from '../translate/validation.ts'
import { oneOf, text } from './kinds.ts'
import { didYouMean } from './nearest.ts'
import type { Kind, TomlValue } from './option.ts'
import { field, isTable, reportNonJson, table, tableBy, tableOf, tablesOf } from './toml.ts'

export const validationMode: Kind<ValidationMode> = oneOf('off', 'warn', 'strict')
export const silentMode: Kind<SilentMode> = oneOf('safe', 'anycable', 'off')

const rows = Object.values(versions)
const sends = new Set(rows.flatMap(row => [...row.sends]))
const fromStation = new Set(rows.flatMap(row => Object.keys(row.silentAnswers)))
const actions = new Set([...fromStation, ...sends, ...rows.flatMap(row => [...row.toStation])])

/** Whether any version of OCPP has an action of this name, in either direction. */
export function isAction(name: string): boolean {
  return actions.has(name)
}

/** The name of an action, of any version and in either direction, or `*` for all actions. */
const anyAction: Kind<string> = {
  ...text('an OCPP action name, or *'),
  fromToml: (given, fault) => {
    if (typeof given !== 'string') return undefined
    if (given !== '*' && !isAction(given)) fault('', noSuchAction(given, actions, 'OCPP has no such action'))
    return given
  },
}

const validationRule: Kind<ValidationRule> = tableOf({
  accepts: `a table with mode (${validationMode.accepts}) and optionally station and action`,
  keys: ['station', 'action', 'mode'],
  read: (given, fault) => {
    const station = field(given, 'station', text('a pattern such as ABB-*'), fault, '*')
    const action = field(given, 'action', anyAction, fault, '*')
    const mode = field(given, 'mode', validationMode, fault)
    return station === undefined || action === undefined || mode === undefined ? undefined : { station, action, mode }
  },
  toToml: rule => rule,
})

export const validationRules: Kind<readonly ValidationRule[]> = tablesOf(validationRule, {
  station: 'ABB-*',
  action: 'MeterValues',
  mode: 'off',
})

/** A mode, or a payload, which is kept as the JSON text that goes to the station. */
const silentOverride: Kind<SilentOverride> = {
  ...table,
  accepts: `${silentMode.accepts}, or a table with the payload of the answer`,
  fromToml: (given, fault) => {
    if (isTable(given)) {
      reportNonJson(given, fault)
      return { kind: 'payload', payload: jsonText(given) }
    }
    const mode = silentMode.fromToml(given, fault)
    return mode === undefined ? undefined : { kind: 'mode', mode }
  },
  // The payload came from TOML, so it has no null, which TOML cannot write.
  toToml: given => (given.kind === 'mode' ? given.mode : (parseObject(given.payload) as TomlValue)),
}

export const silentAnswers: Kind<Readonly<Record<string, SilentOverride>>> = tableBy(
  { accepts: 'an action that stations send', problemOf: problemOfAnswered },
  silentOverride,
  { Authorize: 'anycable', DataTransfer: { status: 'Accepted' } },
)

/** Why the silent answer of an action cannot be set; `null` if it can. */
function problemOfAnswered(action: string): string | null {
  if (sends.has(action)) return 'this action is never answered'
  if (!fromStation.has(action)) return noSuchAction(action, fromStation, 'stations send no such action')
  const isLocal = rows.some(row => silentAnswerFor(row, action)?.kind === 'local')
  return isLocal ? 'the bridge always answers this action itself, with the current time' : null
}

function noSuchAction(given: string, known: ReadonlySet<string>, problem: string): string {
  return problem + didYouMean(given, [...known])
}
