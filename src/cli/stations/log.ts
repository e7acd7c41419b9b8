/**
 * `ocpp-cable log`: the log level of one station, or of those that a pattern fits, for a time.
 */
import { connect } from '../admin/connect.ts'
import { exits, UsageError, type Call } from '../command.ts'
import type { log } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { clockText } from '../show/time.ts'

export async function run({ words: [glob = '', level = ''], flags, terminal }: Call<typeof log>): Promise<number> {
  if (level !== 'debug' && level !== 'default')
    throw new UsageError(`${JSON.stringify(level)}: expected debug or default`)
  const body = JSON.stringify({ level, for: flags.for / 1000 })
  const { value } = await connect({ flags, terminal }).ask('setLog', { in: glob, body })
  const station = escaped(value.station)
  const said =
    level === 'debug'
      ? `the bridge logs the frames of ${station} until ${clockText(value.until)}`
      : `the bridge logs ${station} as log_level says`
  await terminal.write(`${said}\n`)
  return exits.done
}
