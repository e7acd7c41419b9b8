/**
 * Probes of the app and of NATS: what the bridge reaches over the network.
 */
import { randomUUID } from 'node:crypto'
import { openNats } from '../../broadcast/nats.ts'
import { RpcError } from '../../cable/rpc.ts'
import { isHttp } from '../../config/addresses.ts'
import type { Config } from '../../config/rules.ts'
import type { Log } from '../../ops/log.ts'
import { authorityOf } from '../../ops/http/server.ts'
import { openTransport } from '../../rpc/open.ts'
import type { Transport } from '../../rpc/transport.ts'
import { natsOptions, transportSettings } from '../../settings.ts'
import { readHandshake, type StationHandshake } from '../../translate/handshake.ts'
import { send } from '../http.ts'
import { fail, ok, probeMs, skip, textOf, warn, type Finding } from './probe.ts'

/** A station for a Connect; its password goes into an Authorization header. */
export type TestStation = { readonly id: string; readonly password: string | null }

/** Less than a probe may take, so that the reason is known. */
const callMs = probeMs - 1_000
/** A clock that is further off makes `currentTime`, certificates and signatures wrong. */
const maxClockMs = 5_000

export async function rpcProbe(config: Config, station: TestStation | null): Promise<Finding> {
  const transport = openTransport(transportSettings(config))
  try {
    const problem = await transport.problem(callMs)
    if (problem !== null) return unreached(config, problem)
    if (station === null) return ok(`${config.rpc.host} is reachable; --station=ID also calls Connect`)
    return await connected(config, station, transport)
  } catch (error) {
    if (error instanceof RpcError) return unreached(config, error)
    throw error
  } finally {
    await transport.close()
  }
}

/** Connect, and the Disconnect that ends it. */
async function connected(config: Config, station: TestStation, transport: Transport): Promise<Finding> {
  const handshake = handshakeOf(config, station)
  if (handshake.kind === 'refused')
    return fail(`the bridge itself refuses ${station.id}: ${handshake.problem}`, 'use another id')
  const { signal } = new AbortController()
  const caller = { sid: randomUUID(), env: handshake.env }
  const deadline = performance.now() + callMs
  const reply = await transport.connect(caller, signal, deadline)
  if (reply.status === 'failure') {
    const found = `${config.rpc.host} is reachable, and the app rejected ${station.id}`
    return fail(found, 'use a station that the app knows, with its --password; or look at connect in the app')
  }
  const { connectionIdentifiers, cstate } = reply
  const env = { ...handshake.env, cstate }
  await transport.disconnect({ ...caller, env, connectionIdentifiers, subscriptions: [] }, signal, deadline)
  const found = `${config.rpc.host}: the app accepted ${station.id}, and saw it leave`
  return handshake.withheld === true
    ? warn(`${found}; it did not get the Authorization header`, 'add authorization to headers')
    : ok(found)
}

/** As if the station had come to the bridge. */
function handshakeOf({ server, tls, ocpp, rpc }: Config, { id, password }: TestStation): StationHandshake | Refusal {
  const authority = authorityOf(server)
  const credentials = Buffer.from(`${id}:${password ?? ''}`).toString('base64')
  const request = {
    target: `${ocpp.path}/${encodeURIComponent(id)}`,
    headers: {
      host: authority,
      'sec-websocket-protocol': ocpp.versions[0],
      ...(password !== null && { authorization: `Basic ${credentials}` }),
    },
    remoteAddress: '127.0.0.1',
    localAuthority: () => authority,
    encrypted: tls.cert.length > 0,
    certificate: null,
  }
  return readHandshake(request, { ...ocpp, headers: rpc.headers })
}

type Refusal = Exclude<ReturnType<typeof readHandshake>, StationHandshake>

function unreached({ rpc: { host } }: Config, error: RpcError): Finding {
  const start = isHttp(host)
    ? 'start the app, and mount its RPC endpoint at this path'
    : 'start its RPC server (bundle exec anycable)'
  const fixes: Readonly<Record<RpcError['code'], string>> = {
    unavailable: `${start}, or correct rpc_host`,
    timeout: `${start}, or correct rpc_host; is there a firewall between?`,
    exhausted: 'the app is overloaded: give its RPC server more threads',
    application: "look at the app's log; over HTTP, http_rpc_secret must be the same on both sides",
    aborted: 'check again',
    blocked: 'check again',
  }
  return fail(`${host}: ${textOf(error)}`, fixes[error.code])
}

export async function natsProbe(config: Config): Promise<Finding> {
  const { adapters, natsServers, natsChannel } = config.broadcast
  if (!adapters.includes('nats')) return skip('broadcasts come over HTTP')
  let problem: unknown = null
  const nats = await openNats(
    natsOptions(config),
    () => undefined,
    logOf(error => (problem = error)),
  )
  const isConnected = nats.connected()
  await nats.close()
  // The user and the password are no part of what is shown.
  const servers = natsServers.map(server => server.replace(/[^/@]*@/, '')).join(', ')
  if (isConnected) return ok(`subscribed to ${natsChannel} at ${servers}`)
  return fail(`${servers}: ${textOf(problem)}`, 'start NATS, or correct nats_servers and its credentials')
}

/** A log that hands on the errors of warnings. */
function logOf(onWarning: (error: unknown) => void): Log {
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: fields => onWarning((fields as { readonly error?: unknown }).error),
    error: () => undefined,
    child: () => log,
  }
  return log
}

/** The Date header of the app says what time it is there. */
export async function clockProbe({ rpc: { host } }: Config, now: () => number): Promise<Finding> {
  if (!isHttp(host)) return skip('replies over gRPC have no date; stations get the time of this machine: use NTP')
  const before = now()
  const answer = await send({ method: 'HEAD', url: new URL(host), headers: {}, body: null, idleMs: callMs }).catch(
    () => null,
  )
  const date = Date.parse(answer?.headers.date ?? '')
  if (Number.isNaN(date)) return skip('the app did not answer with a date')
  const apartMs = apart(date, before, now())
  const found = apartMs === 0 ? 'agrees with the clock of the app' : `${apartMs / 1_000} s off the clock of the app`
  return apartMs <= maxClockMs ? ok(found) : fail(found, 'run NTP on both machines: stations take their time from here')
}

/** The header has whole seconds, and the answer took a while: both are allowed for. */
function apart(date: number, before: number, after: number): number {
  return Math.max(0, date - after, before - (date + 1_000))
}
