/**
 * Problems of `ocpp_auth_file` that are only warned about.
 */
import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Log } from '../../ops/log.ts'

export type Caution = 'exposed' | 'empty' | 'readOnly'

/** Each with what to do, behind the colon. */
export const cautions: Readonly<Record<Caution, string>> = {
  exposed: 'other users may read or change ocpp_auth_file: set its mode to 0600, or 0640 for a group',
  empty:
    'ocpp_auth_file has no keys, so stations without a client certificate are refused: add keys by ocpp-cable auth',
  readOnly: 'new keys of stations cannot be saved: make the directory of ocpp_auth_file writable for the bridge',
}

/** Others may read or write it, or its group may write it. */
const exposedModes = 0o026

/**
 * @param file one that could be read
 * @param keys how many there are
 */
export async function cautionsOf(file: string, keys: number): Promise<readonly Caution[]> {
  const { mode } = await stat(file)
  const directory = path.dirname(await realpath(file))
  const isReadOnly = await access(directory, constants.W_OK).then(
    () => false,
    () => true,
  )
  return [
    ...((mode & exposedModes) === 0 ? [] : (['exposed'] as const)),
    ...(keys > 0 ? [] : (['empty'] as const)),
    ...(isReadOnly ? (['readOnly'] as const) : []),
  ]
}

export function logCautions(found: readonly Caution[], file: string, log: Pick<Log, 'warn'>): void {
  for (const caution of found) log.warn({ file }, cautions[caution])
}
