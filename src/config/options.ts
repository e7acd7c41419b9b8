/**
 * THE option table. Flags, environment variables, TOML keys, `--help`, `--print-config`, docs/configuration.md and the
 * types of `Settings` and `Config` derive from it; a new option is a new row in one of the files of `table/`.
 *
 * Pure. Names are AnyCable's where it has one; a row says so only where group and key do not give that name.
 * What several options decide together is in `rules.ts`.
 */
import { rowsOf, type ValuesOf } from './option.ts'
import { broadcast, rpc } from './table/app.ts'
import { ocpp } from './table/ocpp.ts'
import { lifecycle, log, metrics, node, program } from './table/process.ts'
import { server } from './table/server.ts'

export const groups = { server, ocpp, rpc, broadcast, lifecycle, log, metrics, node }

/** What the command line alone can say: no environment variable, no TOML key. */
export const programGroups = { program }

export const rows = rowsOf(groups)
export const programRows = rowsOf(programGroups)

/** The options as given: what is derived from others is not in it. */
export type Settings = ValuesOf<typeof groups>
export type ProgramSettings = ValuesOf<typeof programGroups>['program']
