/**
 * Reads the TOML file that the command line asks for. The only file of `config/` that goes to the disk.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Asked, ConfigFile } from './resolve.ts'

/** Reads the file; `null` when it is optional and missing. */
export function readConfigFile(asked: Asked['file']): ConfigFile | null {
  if (asked === null || (!asked.required && !existsSync(asked.path))) return null
  try {
    return { path: asked.path, text: readFileSync(asked.path, 'utf8') }
  } catch (error) {
    return { path: asked.path, unreadable: error instanceof Error ? error.message : 'cannot be read' }
  }
}
