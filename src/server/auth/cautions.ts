/**
 * What is doubtful about `ocpp_auth_file` and does not stop the start.
 */
import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '../../ops/log.ts'
import type { KeyLines } from './lines.ts'

export type Caution = 'exposed' | 'empty' | 'fixed'

/** Each with what to do, behind the colon. */
export const cautions: Readonly<Record<Caution, string>> = {
  exposed: 'other users may read or change ocpp_auth_file: set its mode to 0600, or 0640 for a group',
  empty:
    'ocpp_auth_file has no keys, so stations without a client certificate are refused: add keys by ocpp-cable auth',
  fixed: 'new keys of stations cannot be kept, the directory of ocpp_auth_file is not writable: give the bridge access',
}

/** Others may read or write it, or its group may write it. */
const exposedModes = 0o026

/** @param file one that could be read */
export async function cautionsOf(file: string, keys: KeyLines['keys']): Promise<readonly Caution[]> {
  const { mode } = await stat(file)
  const directory = path.dirname(await realpath(file))
  const isFixed = await access(directory, constants.W_OK).then(
    () => false,
    () => true,
  )
  return [
    ...((mode & exposedModes) === 0 ? [] : (['exposed'] as const)),
    ...(keys.size > 0 ? [] : (['empty'] as const)),
    ...(isFixed ? (['fixed'] as const) : []),
  ]
}

export function logCautions(found: readonly Caution[], file: string, log: Pick<Log, 'warn'>): void {
  for (const caution of found) log.warn({ file }, cautions[caution])
}
