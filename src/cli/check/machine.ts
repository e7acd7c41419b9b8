/**
 * Probes of the machine: certificates, ports, open files, the directory for state.
 */
import { X509Certificate } from 'node:crypto'
import { accessSync, constants, existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { broadcastsOnStationsPort } from '../../config/rules/access.ts'
import type { Config } from '../../config/rules.ts'
import { listen, type Address } from '../../ops/http/server.ts'
import { readKeyPair } from '../../server/tls/certificates.ts'
import { ampleOpenFiles, roomFor, type OpenFiles } from '../../server/open-files.ts'
import { fail, ok, skip, textOf, warn, type Finding } from './probe.ts'

const dayMs = 86_400_000
/** Certificates are renewed by hand in many places. */
const soonDays = 30

/** Of one certificate and its key. */
export function certificateProbe(cert: string, key: string, now: number): Finding {
  let pem: string
  try {
    pem = readKeyPair(cert, key).cert
  } catch (error) {
    return fail(textOf(error), 'give ssl_cert and ssl_key the PEM files that belong together, readable for this user')
  }
  const { validTo, validFrom, leaf } = validityOf(pem)
  const days = Math.floor((validTo - now) / dayMs)
  const until = new Date(validTo).toISOString().slice(0, 10)
  if (validFrom > now)
    return fail(
      `${cert} is not valid before ${new Date(validFrom).toISOString()}`,
      'set the clock, or use another certificate',
    )
  if (days < 0) return fail(`${cert} expired on ${until}`, 'renew it: stations refuse the connection')
  const found = `${cert} and its key match; valid until ${until}, ${days} days; ${leaf}`
  return days < soonDays ? warn(found, 'renew it before then') : ok(found)
}

function validityOf(pem: string): { readonly validFrom: number; readonly validTo: number; readonly leaf: string } {
  const { validFrom, validTo, subjectAltName, subject } = new X509Certificate(pem)
  return {
    validFrom: Date.parse(validFrom),
    validTo: Date.parse(validTo),
    leaf: subjectAltName ?? subject.replaceAll('\n', ', '),
  }
}

type Port = Address & { readonly option: string }

/** Each port that the bridge listens on; 0, for any free one, is left out. */
export function portsOf(config: Config): readonly Port[] {
  const { server, metrics, broadcast, admin } = config
  const ownBroadcasts = broadcast.adapters.includes('http') && !broadcastsOnStationsPort(config)
  return [
    ...server.listeners.map(({ host, port }) => ({ option: 'port', host, port })),
    ...(metrics.httpPath === null ? [] : [{ option: 'metrics_port', host: metrics.host, port: metrics.port }]),
    { option: 'admin_port', host: admin.host, port: admin.port },
    ...(ownBroadcasts ? [{ option: 'http_broadcast_port', host: server.host, port: broadcast.httpPort }] : []),
  ].filter(({ port }) => port !== 0)
}

/** @param pid of the bridge that runs on this machine and listens on that port; `null` if none does */
export async function portProbe({ option, host, port }: Port, pid: number | null): Promise<Finding> {
  const server = createServer()
  try {
    await listen(server, { host, port })
    return ok(`${host}:${port} is free`)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE' && pid !== null)
      return skip(`${host}:${port} is in use by the bridge that runs, pid ${pid}`)
    return fail(
      `${host}:${port}: ${portFaults[code]?.[0] ?? textOf(error)}`,
      portFaults[code]?.[1] ?? `set another ${option}`,
    )
  } finally {
    server.close()
  }
}

const portFaults: Readonly<Record<string, readonly [found: string, fix: string]>> = {
  EADDRINUSE: ['another program listens there', 'stop it (is it a bridge that runs already?), or set another port'],
  EACCES: ['this user may not listen there', 'use a port above 1023, or give node CAP_NET_BIND_SERVICE'],
  EADDRNOTAVAIL: ['this machine has no such address', 'set host to an address of this machine, or to 0.0.0.0'],
  ENOTFOUND: ['the host name cannot be resolved', 'set host to an address of this machine, or to 0.0.0.0'],
}

export function filesProbe(maxConn: number, files: OpenFiles | null): Finding {
  if (files === null) return skip('the limit of open files cannot be read on this system')
  const room = roomFor(files)
  if (maxConn > room)
    return fail(
      `max-conn is ${maxConn}, but the limit of ${files.limit} open files leaves room for ${room} stations`,
      `raise it (ulimit -n ${maxConn + 1_000}, or LimitNOFILE in the unit), or lower max-conn`,
    )
  const found = `${files.limit} open files, room for ${room} stations`
  if (maxConn > 0 || files.limit >= ampleOpenFiles) return ok(maxConn > 0 ? `${found}, max-conn is ${maxConn}` : found)
  return warn(found, 'raise it for a larger fleet (ulimit -n, or LimitNOFILE in the unit)')
}

/**
 * Makes nothing that stays: not the directory either.
 *
 * @param pid of a bridge that uses the directory; `null` if there is none
 */
export async function stateProbe(dir: string | null, pid: number | null): Promise<Finding> {
  if (dir === null) return skip('state_dir is not set: a restart forgets serial numbers, and nothing is stored')
  const existing = nearestExisting(path.resolve(dir))
  try {
    accessSync(existing, constants.W_OK | constants.X_OK)
    rmdirSync(mkdtempSync(path.join(existing, '.ocpp-cable-check-')))
  } catch (error) {
    return fail(
      `${existing} cannot be written: ${textOf(error)}`,
      'make it a directory that the user of the bridge may write to',
    )
  }
  const isDatabaseLocked = await loadLock()
  const isInUse = existing === path.resolve(dir) && isDatabaseLocked(dir)
  if (isInUse && pid !== null) return skip(`${dir} is in use by the bridge that runs, pid ${pid}`)
  if (isInUse)
    return fail(`${dir} is in use by another process`, 'stop that bridge, or give this one a directory of its own')
  return ok(existing === path.resolve(dir) ? `${dir} is writable and free` : `${dir} will be made in ${existing}`)
}

/** Only when it is needed: SQLite is an optional dependency. */
async function loadLock(): Promise<(dir: string) => boolean> {
  try {
    return (await import('../../store/database.ts')).isDatabaseLocked
  } catch (error) {
    throw new Error('state_dir needs SQLite: npm install @photostructure/sqlite', { cause: error })
  }
}

function nearestExisting(dir: string): string {
  return existsSync(dir) ? dir : nearestExisting(path.dirname(dir))
}
