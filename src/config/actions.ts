/**
 * The kinds of value that speak of single OCPP actions: what is held against a schema, and what a silent app's
 * stations are told.
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
import { field, isTable, table, tableBy, tableOf, tablesOf, tellWhatIsNoJson } from './toml.ts'

export const validationMode: Kind<ValidationMode> = oneOf('off', 'warn', 'strict')
export const silentMode: Kind<SilentMode> = oneOf('safe', 'anycable', 'off')

const rows = Object.values(versions)
const sends = new Set(rows.flatMap(row => [...row.sends]))
const fromStation = new Set(rows.flatMap(row => Object.keys(row.silentAnswers)))
const actions = new Set([...fromStation, ...sends, ...rows.flatMap(row => [...row.toStation])])

/** The name of an action of any version, in either direction, or `*` for all of them. */
const anyAction: Kind<string> = {
  ...text('the name of an OCPP action, or *'),
  fromToml: (given, fault) => {
    if (typeof given !== 'string') return undefined
    if (given !== '*' && !actions.has(given)) fault('', noSuchAction(given, actions, 'OCPP has no such action'))
    return given
  },
}

const validationRule: Kind<ValidationRule> = tableOf({
  accepts: `a table with mode (${validationMode.accepts}), and station and action where it is not for all of them`,
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

/** A word, or the answer's own payload, kept as the text that goes to the station. */
const silentOverride: Kind<SilentOverride> = {
  ...table,
  accepts: `${silentMode.accepts}, or a table that is the payload of the answer`,
  fromToml: (given, fault) => {
    if (isTable(given)) {
      tellWhatIsNoJson(given, fault)
      return { kind: 'payload', payload: jsonText(given) }
    }
    const mode = silentMode.fromToml(given, fault)
    return mode === undefined ? undefined : { kind: 'mode', mode }
  },
  // What came from TOML goes back to it: there is no null in it.
  toToml: given => (given.kind === 'mode' ? given.mode : (parseObject(given.payload) as TomlValue)),
}

export const silentAnswers: Kind<Readonly<Record<string, SilentOverride>>> = tableBy(
  { accepts: 'an action that stations send', problemOf: problemOfAnswered },
  silentOverride,
  { Authorize: 'anycable', DataTransfer: { status: 'Accepted' } },
)

/** Why an action's silent answer cannot be set, if so. */
function problemOfAnswered(action: string): string | null {
  if (sends.has(action)) return 'this action is never answered'
  if (!fromStation.has(action)) return noSuchAction(action, fromStation, 'stations send no such action')
  const isLocal = rows.some(row => silentAnswerFor(row, action)?.kind === 'local')
  return isLocal ? 'this action is always answered here, with the time of the clock' : null
}

function noSuchAction(given: string, known: ReadonlySet<string>, problem: string): string {
  return problem + didYouMean(given, [...known])
}
