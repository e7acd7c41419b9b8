/**
 * `ocpp-cable call`: sends a command to a station, and prints what it answers.
 */
import { limits } from '../../admin/limits.ts'
import { isObject, membersOf, parseJson } from '../../ocpp/json.ts'
import { ProblemError } from '../admin/client.ts'
import { connect } from '../admin/connect.ts'
import { CommandError, exits, type Call, type Terminal } from '../command.ts'
import type { call } from '../flags.ts'
import { readText } from '../input.ts'
import { escaped } from '../show/escape.ts'
import { exitOf, invalidPayloadExit } from './call-exits.ts'

/** Longer than a station may take; the bridge ends the call in time. */
const graceMs = 10_000
const maxShown = 80

export async function run({
  words: [id = '', action = '', given = '{}'],
  flags,
  terminal,
}: Call<typeof call>): Promise<number> {
  const payload = await payloadOf(given, terminal)
  const { timeout, json } = flags
  // Not by JSON.stringify: it would change the digits of the payload's numbers.
  const body = `{"action":${JSON.stringify(action)},"payload":${payload}${timeout === null ? '' : `,"timeout":${timeout / 1000}`}}`
  const client = connect({ flags, terminal })
  try {
    const idleMs = (timeout ?? limits.callSeconds * 1_000) + graceMs
    const { value, text } = await client.ask('callStation', { in: id, body, idleMs })
    for (const { path, rule } of value.violations)
      terminal.warn(`the answer violates its schema: ${escaped(path)}: ${escaped(rule)}\n`)
    await terminal.write(`${escaped(json ? text.trim() : (membersOf(text.trim()).get('payload') ?? ''))}\n`)
    return exits.done
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    const exit = exitOf(error.problem)
    terminal.keepCode(exit)
    if (json) await terminal.write(`${escaped(error.text.trim())}\n`)
    throw new CommandError(inWords(error), { exit, cause: error })
  }
}

/** The JSON text of the payload: as given, from `@FILE`, or from standard input for `-`. */
async function payloadOf(given: string, terminal: Terminal): Promise<string> {
  const text = (await textOf(given, terminal)).trim()
  const value = parseJson(text)
  if (isObject(value)) return text
  const what = value === undefined ? 'not JSON' : 'not a JSON object'
  throw new CommandError(`the payload is ${what}: ${text.slice(0, maxShown)}`, { exit: invalidPayloadExit })
}

async function textOf(given: string, terminal: Terminal): Promise<string> {
  if (given === '-') return await terminal.readInput()
  return given.startsWith('@') ? readText(given.slice(1)) : given
}

function inWords({ problem, body, message }: ProblemError): string {
  if (problem !== 'call-error') return message
  const { code, description, details } = body
  const texts = [code, description].filter(text => typeof text === 'string' && text !== '')
  return `CALLERROR ${texts.join(': ')}${isObject(details) && Object.keys(details).length > 0 ? ` ${JSON.stringify(details)}` : ''}`
}
