/**
 * What makes each alert of `examples/monitoring/alerts.yml` fire: real bridges, each a job of its own, and what goes
 * wrong at it.
 */
import { status } from '@grpc/grpc-js'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cableApp, GrpcStatus, ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { makeKeyPair, openCa } from '../support/certificate.ts'
import type { Keep } from '../support/keep.ts'
import { openNats } from '../support/nats.ts'
import { openRawStation } from '../support/station.ts'

export type Scene = {
  /** The label `job`. */
  readonly job: string
  readonly bridge: Bridge
  /** The options of the bridge by their variables, for commands that need its configuration. */
  readonly env: Readonly<Record<string, string>>
  /** A station that the alerts are about. */
  readonly stationId: string
  /** In the order in which they fire; what has to be done for one, beyond what the scene does from the start. */
  readonly alerts: Readonly<Record<string, () => unknown>>
}

const nothing = (): void => undefined
const boot = '{"chargePointVendor":"V","chargePointModel":"M"}'
const stop = '{"transactionId":1,"meterStop":5,"timestamp":"2026-01-02T03:04:05Z"}'

/** Repeats something until the end; what fails is tried again. */
function repeatedly(keep: Keep, pauseMs: number, act: () => Promise<unknown>): void {
  const ending = new AbortController()
  keep({ close: () => ending.abort() })
  void (async () => {
    while (!ending.signal.aborted) {
      await act().catch(nothing)
      await sleep(pauseMs)
    }
  })()
}

/** `--rpc_host=x` as `ANYCABLE_RPC_HOST`. */
function envOf(flags: readonly string[]): Record<string, string> {
  const pairs = flags.map(flag => /^--(\w+)=(.*)$/s.exec(flag) ?? [])
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [`ANYCABLE_${name.toUpperCase()}`, value]))
}

/** An app that accepts every station and raises on the actions of these names. */
async function openApp(keep: Keep, ...raising: readonly string[]): Promise<ScriptedApp> {
  const app = await ScriptedApp.start()
  keep({ close: () => app.stop() })
  app.always(
    cableApp(({ command }) => {
      if (raising.includes(command)) throw new GrpcStatus(status.INTERNAL, 'the action raised')
      return command === 'BootNotification'
        ? { status: 'Accepted', currentTime: '2026-01-02T03:04:05Z', interval: 300 }
        : {}
    }),
  )
  return app
}

/** Nobody connects; the certificate has two days left, the revocation list one; in the end the bridge is killed. */
async function quiet(keep: Keep, flags: readonly string[]): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-drill-'))
  keep({ close: () => rmSync(folder, { recursive: true }) })
  const pair = await makeKeyPair()
  const [cert, key] = [join(folder, 'crt'), join(folder, 'key')]
  writeFileSync(cert, pair.cert)
  writeFileSync(key, pair.key)
  const app = await openApp(keep)
  const ca = await openCa(join(folder, 'ca'), 'Stations')
  const clients = [`--ssl_client_ca=${ca.cert}`, `--ssl_client_crl=${await ca.crl(1)}`]
  const own = [`--rpc_host=${app.host}`, `--ssl_cert=${cert}`, `--ssl_key=${key}`, ...clients, ...flags]
  const bridge = keep(await openBridge(own))
  return {
    job: 'ocpp-cable-quiet',
    bridge,
    env: envOf(own),
    stationId: 'CP1',
    alerts: {
      OcppNobodyConnected: nothing,
      OcppCertificateExpires: nothing,
      OcppRevocationListExpires: nothing,
      OcppBridgeDown: () => bridge.kill('SIGKILL'),
    },
  }
}

/** An action raises; a station answers no command; commands go nowhere; stations reconnect; the process gets no CPU. */
async function busy(keep: Keep, flags: readonly string[]): Promise<Scene> {
  const app = await openApp(keep, 'Authorize')
  const own = [`--rpc_host=${app.host}`, '--ocpp_call_queue=2', ...flags]
  const bridge = keep(await openBridge(own))
  const station = keep(await openRawStation(bridge.url, 'CP1'))
  await station.call('b', 'BootNotification', boot)
  let number = 0
  repeatedly(keep, 200, () => station.call(`a${number++}`, 'Authorize', '{"idTag":"A"}'))
  const reset = (sn: string) => ({
    stream: `ocpp:ev/${sn}`,
    data: JSON.stringify({ command: 'Reset', payload: { type: 'Soft' } }),
  })
  repeatedly(keep, 200, () => bridge.broadcast(reset('CP1')))
  repeatedly(keep, 200, () => bridge.broadcast(reset('NOBODY')))
  repeatedly(keep, 50, async () => (await openRawStation(bridge.url, 'CP2')).close())
  return {
    job: 'ocpp-cable-busy',
    bridge,
    env: envOf(own),
    stationId: 'CP1',
    alerts: {
      OcppFailedAnswers: nothing,
      OcppQueueAtLimit: nothing,
      OcppCommandsToNobody: nothing,
      OcppReconnectStorm: nothing,
      OcppEventLoopLate: () => {
        keep({ close: () => bridge.process.signal('SIGCONT') })
        repeatedly(keep, 400, async () => {
          bridge.process.signal('SIGSTOP')
          await sleep(700)
          bridge.process.signal('SIGCONT')
        })
      },
    },
  }
}

/** The app raises on a stored message until its time is over. */
async function storing(keep: Keep, flags: readonly string[]): Promise<Scene> {
  const dir = mkdtempSync(join(tmpdir(), 'ocpp-cable-drill-'))
  keep({ close: () => rmSync(dir, { recursive: true, force: true }) })
  const app = await openApp(keep, 'StopTransaction')
  const own = [`--rpc_host=${app.host}`, `--state_dir=${dir}`, '--ocpp_outbox_ttl=30s', ...flags]
  const bridge = keep(await openBridge(own))
  const station = keep(await openRawStation(bridge.url, 'CP1'))
  await station.call('b', 'BootNotification', boot)
  return {
    job: 'ocpp-cable-storing',
    bridge,
    env: envOf(own),
    stationId: 'CP1',
    alerts: { OcppOutboxNotDraining: () => station.call('s', 'StopTransaction', stop), OcppDeadLetter: nothing },
  }
}

/** The app and NATS end. */
async function alone(keep: Keep, flags: readonly string[]): Promise<Scene> {
  const app = await openApp(keep)
  const nats = keep(await openNats())
  const own = [`--rpc_host=${app.host}`, `--nats_servers=${nats.url}`, ...flags]
  const bridge = keep(await openBridge(own))
  const station = keep(await openRawStation(bridge.url, 'CP1'))
  await station.call('b', 'BootNotification', boot)
  return {
    job: 'ocpp-cable-alone',
    bridge,
    env: envOf(own),
    stationId: 'CP1',
    alerts: { OcppAppDown: () => app.stop(), OcppBroadcastsDown: () => nats.kill() },
  }
}

/** Opens all scenes. @param flagsOf more flags for each bridge */
export async function openScenes(keep: Keep, flagsOf: () => Promise<readonly string[]>): Promise<readonly Scene[]> {
  return Promise.all([quiet, busy, storing, alone].map(async open => open(keep, await flagsOf())))
}

/** The rules with waits and ranges of seconds, so that they fire within a minute. */
export function hurried(rules: string): string {
  return rules.replace(/\bfor: \w+/g, 'for: 1s').replace(/\[\d+[mh]\]/g, '[12s]')
}
