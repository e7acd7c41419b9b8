/**
 * `ocpp-cable validate`: a payload against the official schema.
 */
import { didYouMean } from '../config/nearest.ts'
import { isObject, parseJson, type JsonText } from '../ocpp/json.ts'
import { versions, type Version } from '../ocpp/version.ts'
import type { Violation } from '../ocpp/violations.ts'
import type { Schemas } from '../session/ports.ts'
import { openSchemas } from '../validation/schemas.ts'
import { exits, UsageError, type Call } from './command.ts'
import type { none } from './flags.ts'
import { readText } from './input.ts'
import { escaped } from './show/escape.ts'

type Message = 'request' | 'response'

const maxShown = 80

export async function run({ words, terminal }: Call<typeof none>): Promise<number> {
  const [versionWord = '', action = '', message = '', file = '-'] = words
  const version = versionIn(versionWord)
  if (message !== 'request' && message !== 'response')
    throw new UsageError(`${JSON.stringify(message)}: expected request or response`)
  const schemas = openSchemas()
  if (!hasSchema(schemas, version, action, message))
    throw new UsageError(unknownAction(schemas, version, action, message))
  const payload = (file === '-' ? await terminal.readInput() : readText(file)).trim()
  const lines = problemsOf(schemas, version, action, message, payload)
  const { number } = versions[version]
  const name = `${action} ${message} of OCPP ${number}`
  const code = lines.length === 0 ? exits.done : exits.failed
  terminal.keepCode(code)
  await terminal.write(lines.length === 0 ? `valid: ${name}\n` : `invalid: ${name}\n${lines.join('\n')}\n`)
  return code
}

/** One line for each violation, the first ten of them; empty for a valid payload. */
function problemsOf(schemas: Schemas, version: Version, action: string, message: Message, payload: string): string[] {
  const value = parseJson(payload)
  if (value === undefined) return ['payload\tjson\tis not JSON']
  return schemas
    .violations(version, action, message, payload as JsonText)
    .map(violation =>
      [violation.path || 'payload', violation.rule, inWords(violation, value)].map(cell => escaped(cell)),
    )
    .map(cells => cells.join('\t'))
}

/** `1.6` or `ocpp1.6`. */
function versionIn(word: string): Version {
  const names = Object.keys(versions) as Version[]
  const found = names.find(version => version === word || versions[version].number === word)
  if (found !== undefined) return found
  const numbers = names.map(version => versions[version].number)
  throw new UsageError(`${JSON.stringify(word)}: expected a version, ${numbers.join(' or ')}`)
}

/** No schema accepts `null`. */
function hasSchema(schemas: Schemas, version: Version, action: string, message: Message): boolean {
  return schemas.violations(version, action, message, 'null' as JsonText).length > 0
}

function unknownAction(schemas: Schemas, version: Version, action: string, message: Message): string {
  const { number, toStation, silentAnswers, sends } = versions[version]
  const name = JSON.stringify(action)
  if (sends.has(action) && hasSchema(schemas, version, action, 'request'))
    return `${action} is a SEND in OCPP ${number}, which has no ${message}`
  const known = [...toStation, ...Object.keys(silentAnswers), ...sends]
  return `${name}: not an action of OCPP ${number}${didYouMean(action, known)}`
}

/** What each rule of a schema says. */
const meanings: Readonly<Record<string, string>> = {
  required: 'is missing',
  additionalProperties: 'is not a field of this message',
  type: 'has the wrong type',
  enum: 'is not one of the allowed values',
  maxLength: 'is too long',
  minLength: 'is too short',
  maxItems: 'has too many items',
  minItems: 'has too few items',
  maximum: 'is too large',
  minimum: 'is too small',
  multipleOf: 'has too many decimal places',
  format: 'has the wrong format',
}

function inWords({ path, rule }: Violation, payload: unknown): string {
  const meaning = meanings[rule] ?? 'breaks this rule'
  if (rule === 'required') return meaning
  const text = JSON.stringify(valueAt(path, payload)) as string | undefined
  if (text === undefined) return meaning
  return `${meaning}: ${text.length > maxShown ? `${text.slice(0, maxShown)}…` : text}`
}

/** The value at a JSON pointer (RFC 6901); `undefined` if there is none. */
function valueAt(path: string, payload: unknown): unknown {
  const steps = path
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return steps.reduce<unknown>((value, step) => {
    if (Array.isArray(value)) return value[Number(step)] as unknown
    return isObject(value) ? value[step] : undefined
  }, payload)
}
