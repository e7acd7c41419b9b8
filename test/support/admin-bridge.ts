/**
 * The real bridge with its admin API, in front of an app that accepts every station; and stations at it.
 */
import type { TestContext } from 'node:test'
import { adminClient, type AdminClient } from './admin.ts'
import { cableApp, ScriptedApp, type AckOf } from './app.ts'
import { openBridge, type Bridge } from './bridge.ts'
import { keepUntil, type Keep } from './keep.ts'
import { freePort } from './ports.ts'
import { openRawStation, type RawStation } from './station.ts'

export interface AdminBridge {
  readonly app: ScriptedApp
  readonly bridge: Bridge
  /** Of the admin API. */
  readonly adminUrl: string
  readonly admin: AdminClient
}

const accepted = { status: 'Accepted', currentTime: '2026-01-01T00:00:00Z', interval: 300 }

/**
 * @param flags in addition to those of the app and the API
 * @param ackOf answers all but boots
 */
export async function openAdminBridge(
  keep: Keep,
  flags: readonly string[] = [],
  ackOf: AckOf = () => null,
  env: Readonly<Record<string, string>> = {},
): Promise<AdminBridge> {
  const app = keep(await ScriptedApp.start())
  app.always(cableApp((data, ...rest) => (data.command === 'BootNotification' ? accepted : ackOf(data, ...rest))))
  const port = await freePort()
  const bridge = keep(await openBridge([`--rpc_host=${app.host}`, `--admin_port=${port}`, ...flags], env))
  const adminUrl = `http://127.0.0.1:${port}`
  return { app, bridge, adminUrl, admin: adminClient(adminUrl, null) }
}

export function bootOf(id: string): string {
  return JSON.stringify({ chargePointVendor: 'V', chargePointModel: 'M', chargePointSerialNumber: `SN-${id}` })
}

/** A booted station, until the end of the test. */
export async function connectTo({ url }: Bridge, t: TestContext, id: string): Promise<RawStation> {
  const station = keepUntil(close => t.after(close))(await openRawStation(url, id))
  await station.call('boot', 'BootNotification', bootOf(id))
  return station
}
