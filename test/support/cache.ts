/**
 * Where programs and packages that tests and benchmarks install are kept from run to run.
 */
import { homedir } from 'node:os'
import { join } from 'node:path'

/** A folder of the user's cache; it may not exist yet. */
export function cacheFolder(name: string): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ocpp-cable', name)
}
