/**
 * The option table. Flags, environment variables, TOML keys, `--help`, `--print-config`, docs/configuration.md and the
 * types `Settings` and `Config` derive from it; a new option is a new row in one of the files of `table/`.
 *
 * Pure. An option that AnyCable has keeps AnyCable's name; its row states the name only where group and key do not give
 * it. Rules across options are in `rules.ts`.
 */
import { rowsOf, type ValuesOf } from './option.ts'
import { admin } from './table/admin.ts'
import { broadcast, rpc } from './table/app.ts'
import { limits } from './table/limits.ts'
import { metrics, statsd } from './table/metrics.ts'
import { ocpp } from './table/ocpp.ts'
import { lifecycle, log, node, program, state, traces } from './table/process.ts'
import { server } from './table/server.ts'
import { tls } from './table/tls.ts'

export const groups = {
  server,
  tls,
  limits,
  ocpp,
  rpc,
  broadcast,
  lifecycle,
  state,
  log,
  metrics,
  statsd,
  traces,
  admin,
  node,
}

/** Options of the command line only, without environment variable and TOML key. */
export const programGroups = { program }

export const rows = rowsOf(groups)
export const programRows = rowsOf(programGroups)

/** The options as given, without derived values. */
export type Settings = ValuesOf<typeof groups>
export type ProgramSettings = ValuesOf<typeof programGroups>['program']
