/**
 * Chooses the bridge that a command talks to: that of `--admin_url`, or the one that runs on this machine.
 *
 * `readArguments` has left out what only a variable says, where a flag names the bridge.
 */
import { CommandError, type Call, type Terminal, type ValuesOfFlags } from '../command.ts'
import type { connection } from '../flags.ts'
import { AdminClient } from './client.ts'
import { findBridges, runtimeDirectory } from './local-bridge.ts'

type Connection = ValuesOfFlags<typeof connection>

/** Throws `CommandError` where there is no such bridge, or more than one. */
export function connect({ flags, terminal }: Pick<Call<typeof connection>, 'flags' | 'terminal'>): AdminClient {
  const { adminUrl, adminToken } = flags
  return new AdminClient({ url: adminUrl ?? localUrl(flags, terminal), token: adminToken })
}

function localUrl({ stateDir }: Connection, terminal: Terminal): string {
  const { env } = terminal
  const { running, stale } = findBridges(env, stateDir)
  for (const file of stale) terminal.warn(`${file} is ignored: that bridge does not run any more\n`)
  const [url, ...others] = running.flatMap(each => each.url ?? [])
  if (url !== undefined && others.length > 0)
    throw new CommandError(
      `several bridges run here: choose one with ${[url, ...others].map(each => `--admin_url=${each}`).join(' or ')}`,
    )
  if (url !== undefined) return url
  const [bridge] = running
  if (bridge !== undefined)
    throw new CommandError(
      `the admin API of the bridge (pid ${bridge.pid}) is off: start the bridge with --admin_port=8091`,
    )
  throw new CommandError(
    `no bridge found in ${stateDir ?? runtimeDirectory(env)}: start one with --admin_port=8091; or set --admin_url, or --state_dir of a bridge that another user runs`,
  )
}
