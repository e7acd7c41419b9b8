/**
 * `ocpp-cable disconnect`: closes the connection of a station.
 */
import { connect } from '../admin/connect.ts'
import { exits, type Call } from '../command.ts'
import type { disconnect } from '../flags.ts'
import { escaped } from '../show/escape.ts'

export async function run({ words: [station = ''], flags, terminal }: Call<typeof disconnect>): Promise<number> {
  const query = { reason: flags.reason }
  const { value } = await connect({ flags, terminal }).ask('disconnectStation', { in: station, query })
  const { id, code, reason } = value
  await terminal.write(`closed the connection of ${escaped(id)} with ${code}: ${escaped(reason)}\n`)
  return exits.done
}
