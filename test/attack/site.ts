/**
 * A bridge under attack: its app, the stations beside the attack with what they see, and what the process holds.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openWorker, type Worker } from '../../bench/children.ts'
import { askable, keptBytes } from '../../bench/heap.ts'
import { cpuSeconds, queuedSeconds, residentKilobytes } from '../../bench/measure.ts'
import { hashOf } from '../../src/server/auth/hash.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { makeKeyPair } from '../support/certificate.ts'
import type { Keep } from '../support/keep.ts'
import { installNats } from '../support/nats.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, type Process } from '../support/process.ts'
import type { Attack } from './attack.ts'
import type { Task } from './attacker.ts'
import type { Ends } from './connections.ts'
import type { FleetOptions, Tally, Watched } from './fleet.ts'
import type { Task as FleetTask } from './healthy.ts'
import { broadcastKey, keyLines, sites, type SiteName } from './sites.ts'

/** What the bridge did since it was last asked. */
export type Strain = {
  /** On a core, as a share of the time. */
  readonly busy: number
  /** Share of the time in which its main thread waited for a core: behind other programs, or its own other threads. */
  readonly queued: number
  /** By how much its event loop was late at most, in ms. */
  readonly lateMs: number
}

export type SiteOptions = {
  readonly name: SiteName
  readonly stations: number
  /** Before stations connect. */
  readonly onBridge?: (pid: number) => Promise<void>
  /** Before the first attack. */
  readonly onAttackers?: (pid: number) => Promise<void>
}

/** The healthy stations. */
type Fleet = Omit<Watched, 'close'>

export type Site = Fleet & {
  readonly bridge: Bridge
  /** How the attackers' connections ended. */
  readonly attack: (attack: Attack, ms: number, share: number) => Promise<Ends['counts']>
  /**
   * What the bridge holds, in bytes. Collects all garbage first, and compiled code with it: until it is compiled again,
   * the bridge is slower.
   */
  readonly memory: () => Promise<number>
  /** Open files. */
  readonly files: () => number
  readonly strain: () => Promise<Strain>
  /** Resident memory of the bridge, in bytes. */
  readonly resident: () => number
  /** The open files, once they are no more than that, or after so many ms. */
  readonly settled: (files: number, withinMs: number) => Promise<number>
}

const adminToken = 'a-token-of-the-operator'
const stationKey = 'a key of twenty bytes'
const host = '127.0.0.1'
/** For processes that share one core with their helper threads: `docs/how-to/deploy.md`, One core. */
const onOneCore = ['--v8-pool-size=1', '--max-semi-space-size=2']

export async function openSite(keep: Keep, { name, stations, onBridge, onAttackers }: SiteOptions): Promise<Site> {
  const row = sites[name]
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-attack-'))
  keep({ close: () => rmSync(folder, { recursive: true }) })
  const app = keep(openApp(row.hasKeys === true))
  const [appPort = ''] = /\d+$/.exec(await app.line(/^port /)) ?? []
  const ports = { adminPort: await freePort(), natsPort: row.hasNats === true ? await openNats(keep, folder) : 0 }
  const flags = [
    `--rpc_host=${host}:${appPort}`,
    `--broadcast_key=${broadcastKey}`,
    `--admin_port=${ports.adminPort}`,
    `--admin_token=${adminToken}`,
    ...row.flags,
    ...(row.isTls === true
      ? await pairFlags(folder, row.hasNames === true ? ['IP:127.0.0.1', 'DNS:other.example'] : ['IP:127.0.0.1'])
      : []),
    ...(row.hasKeys === true ? [await keysFlag(folder)] : []),
    ...(row.hasNats === true
      ? [`--nats_servers=nats://${host}:${ports.natsPort}`, '--broadcast_adapter=http,nats']
      : []),
  ]
  const bridge = keep(await openBridge(flags, { NODE_OPTIONS: [...askable, ...onOneCore].join(' ') }))
  const { pid = 0 } = bridge.process
  await onBridge?.(pid)
  const attacker = keep(openWorker(new URL('attacker.ts', import.meta.url).href, onOneCore))
  await onAttackers?.(attacker.pid)
  const worker = keep(openWorker(new URL('healthy.ts', import.meta.url).href, onOneCore))
  const key = row.hasKeys === true ? stationKey : null
  const fleet = await openFleet(worker, name, { url: bridge.url, stations, key }, app)
  const files = (): number => readdirSync(`/proc/${pid}/fd`).length
  const task = {
    port: bridge.port,
    isTls: row.isTls === true,
    broadcastPort: Number(new URL(bridge.httpBroadcastUrl).port),
    from: host,
    ...ports,
  }
  return {
    bridge,
    ...fleet,
    attack: async (attack, ms, share) => {
      if (row.isLogUnread === true) bridge.process.stopReading()
      try {
        return (await attacker.ask({ ...task, name: attack.name, ms, share } satisfies Task)) as Ends['counts']
      } finally {
        bridge.process.readOn()
      }
    },
    memory: () => keptBytes(pid),
    files,
    strain: strainOf(bridge, pid),
    resident: () => residentKilobytes(pid) * 1024,
    settled: async (most, withinMs) => {
      const deadline = performance.now() + withinMs
      let open = files()
      for (; open > most && performance.now() < deadline; open = files()) await sleep(100)
      return open
    },
  }
}

function strainOf({ metricsPort }: Bridge, pid: number): Site['strain'] {
  const read = () => ({ at: performance.now(), busy: cpuSeconds(pid), queued: queuedSeconds(pid) })
  let last = read()
  return async () => {
    const metrics = await (await fetch(`http://${host}:${metricsPort}/metrics`)).text()
    const [before, now] = [last, read()]
    last = now
    const share = (of: 'busy' | 'queued'): number => ((now[of] - before[of]) * 1000) / (now.at - before.at)
    const [, late] = /^ocpp_cable_event_loop_delay_seconds\{quantile="1"\} (\S+)/m.exec(metrics) ?? []
    return { busy: share('busy'), queued: share('queued'), lateMs: Number(late) * 1000 }
  }
}

function openApp(checksKeys: boolean): Process {
  const file = fileURLToPath(new URL('app/app.ts', import.meta.url))
  return openProcess(process.execPath, [
    ...onOneCore,
    '--import',
    'tsx',
    file,
    ...(checksKeys ? ['--keys-are-checked'] : []),
  ])
}

async function openFleet(worker: Worker, name: SiteName, options: FleetOptions, app: Process): Promise<Fleet> {
  const ask = (task: FleetTask): Promise<unknown> => worker.ask(task)
  await ask({ kind: 'connect', who: 'callers', options })
  if (sites[name].hasKeys === true) await ask({ kind: 'connect', who: 'visitors', options })
  if (sites[name].isAppAway === true) {
    await ask({ kind: 'leave' })
    app.signal('SIGKILL')
    await app.exited
    await ask({ kind: 'connect', who: 'booters', options })
  }
  const watchBy = (kind: 'watch' | 'watchQuiet') => async (ms: number) => (await ask({ kind, ms })) as number[]
  const tally = async () => (await ask({ kind: 'tally' })) as Tally
  return { watch: watchBy('watch'), watchQuiet: watchBy('watchQuiet'), tally }
}

/** @param sans one certificate each, the first one for those that ask for no name */
async function pairFlags(folder: string, sans: readonly string[]): Promise<string[]> {
  const files = await Promise.all(
    sans.map(async (san, at) => {
      const { cert, key } = await makeKeyPair(san)
      const files = { cert: join(folder, `crt${at}`), key: join(folder, `key${at}`) }
      writeFileSync(files.cert, cert)
      writeFileSync(files.key, key)
      return files
    }),
  )
  return [`--ssl_cert=${files.map(({ cert }) => cert).join()}`, `--ssl_key=${files.map(({ key }) => key).join()}`]
}

/** All stations have one key: what a check of it costs is the same. */
async function keysFlag(folder: string): Promise<string> {
  const hash = await hashOf(Buffer.from(stationKey), 'chosen')
  const file = join(folder, 'keys')
  const ids = ['known', 'healthy', 'return', 'fresh'].flatMap(name =>
    Array.from({ length: keyLines }, (_, at) => `${name}-${at}`),
  )
  writeFileSync(file, ids.map(id => `${id} ${hash}\n`).join(''))
  return `--ocpp_auth_file=${file}`
}

/** A server that takes messages of 8 MiB; its default is 1 MiB. */
async function openNats(keep: Keep, folder: string): Promise<number> {
  await installNats()
  const port = await freePort()
  const file = join(folder, 'nats.conf')
  writeFileSync(file, `host: ${host}\nport: ${port}\nmax_payload: ${8 * 1024 * 1024}\n`)
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin`
  await keep(openProcess('nats-server', ['--config', file], { env: { PATH: path } })).line(/Server is ready/)
  return port
}
