/**
 * `ocpp-cable check`: one line for everything that the bridge needs, each with its fix.
 */
import { askedOf, resolve, type Resolution } from '../../config/resolve.ts'
import type { Config } from '../../config/rules.ts'
import { readOpenFiles } from '../../server/open-files.ts'
import { findBridges } from '../admin/local-bridge.ts'
import { exits, type Call, type Terminal } from '../command.ts'
import type { check } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { paint } from '../show/paint.ts'
import { clockProbe, natsProbe, rpcProbe, type TestStation } from './app.ts'
import { keysProbe } from './keys.ts'
import { certificateProbe, filesProbe, portProbe, portsOf, stateProbe } from './machine.ts'
import { probed, skip, type Line, type Status } from './probe.ts'
import { readConfigFile } from '../../settings.ts'

export async function run({ flags, bridgeFlags: argv, terminal }: Call<typeof check>): Promise<number> {
  const file = readConfigFile(askedOf(argv).file)
  const resolution = resolve({ argv, env: terminal.env, file, nodeId: 'check' })
  const about = file === null ? 'flags and environment, no TOML file' : `flags, environment and ${file.path}`
  const lines = configurationLines(resolution, about)
  if (resolution.ok) {
    const station = flags.station === null ? null : { id: flags.station, password: flags.password }
    lines.push(...(await Promise.all(probesOf(resolution.config, station, terminal.env))))
  }
  const code = lines.some(({ status }) => status === 'fail') ? exits.failed : exits.done
  terminal.keepCode(code)
  for (const line of lines) await terminal.write(flags.json ? `${JSON.stringify(line)}\n` : written(line, terminal))
  return code
}

function configurationLines(resolution: Resolution, about: string): Line[] {
  const subject = 'configuration'
  const warnings = resolution.warnings.map((found): Line => ({ subject, status: 'warn', found, fix: null }))
  if (resolution.ok) return [{ subject, status: 'ok', found: about, fix: null }, ...warnings]
  return [...resolution.problems.map((found): Line => ({ subject, status: 'fail', found, fix: null })), ...warnings]
}

/** In the order in which they are printed; they run at the same time. */
function probesOf(config: Config, station: TestStation | null, env: Terminal['env']): Promise<Line>[] {
  const { ocpp, server, state } = config
  // Beside a bridge that runs, what it uses is no fault.
  const owners = state.dir === null ? [] : findBridges(env, state.dir).running
  const running = [...owners, ...findBridges(env, null).running]
  const pidOn = (port: number): number | null => running.find(({ ports }) => ports.includes(port))?.pid ?? null
  const pairs = server.listeners.flatMap(({ sslCert, sslKey }) =>
    sslCert.map((cert, at) => [cert, sslKey[at] ?? ''] as const),
  )
  return [
    probed('rpc', () => rpcProbe(config, station)),
    probed('nats', () => natsProbe(config)),
    ...(pairs.length === 0
      ? [probed('certificate', () => skip('ssl_cert is not set: connections are not encrypted here'))]
      : []),
    ...pairs.map(([cert, key]) => probed('certificate', () => certificateProbe(cert, key, Date.now()))),
    probed('keys', () => keysProbe(ocpp.authFile)),
    ...portsOf(config).map(port => probed(port.option, () => portProbe(port, pidOn(port.port)))),
    probed('open files', () => filesProbe(server.maxConn, readOpenFiles())),
    probed('clock', () => clockProbe(config, Date.now)),
    probed('state_dir', () => stateProbe(state.dir, owners[0]?.pid ?? null)),
  ]
}

const colours: Readonly<Record<Status, number>> = { ok: 32, warn: 33, fail: 31, skip: 2 }

function written({ subject, status, found, fix }: Line, terminal: Terminal): string {
  const cells = [paint(status.padEnd(4), colours[status], terminal), subject.padEnd(19), escaped(found)]
  return `${cells.join('  ')}${fix === null ? '' : `; fix: ${escaped(fix)}`}\n`
}
