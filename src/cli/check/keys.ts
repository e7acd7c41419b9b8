/**
 * Probe of `ocpp_auth_file`: the keys of stations.
 */
import { cautions, cautionsOf } from '../../server/auth/cautions.ts'
import { readKeyLines } from '../../server/auth/station-keys.ts'
import { fail, ok, skip, textOf, warn, type Finding } from './probe.ts'

/** Lines that are wrong are named up to this number. */
const maxProblems = 5

export async function keysProbe(file: string | null): Promise<Finding> {
  if (file === null) return skip('ocpp_auth_file is not set: the app checks the keys of stations')
  const read = await readKeyLines(file).catch((error: unknown) => textOf(error))
  if (typeof read === 'string')
    return fail(read, 'make it readable for this user; ocpp-cable auth add makes it if it is missing')
  const { keys, problems } = read
  if (problems.length > 0) {
    const more = problems.length - maxProblems
    const named = [...problems.slice(0, maxProblems), ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
    return fail(`${file}: ${named}`, 'correct or remove these lines: the bridge does not start')
  }
  const found = `${file}: ${keys.size} ${keys.size === 1 ? 'station' : 'stations'}`
  const doubts = (await cautionsOf(file, keys.size)).map(caution => cautions[caution].split(': '))
  if (doubts.length === 0) return ok(found)
  return warn([found, ...doubts.map(([problem]) => problem)].join('; '), doubts.map(([, fix]) => fix).join('; '))
}
