/**
 * A fleet for the console: a bridge with tokens, many stations, some of which talk, and a few in trouble.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootOf, openAdminBridge, type AdminBridge } from './admin-bridge.ts'
import type { PerformData } from './app.ts'
import type { Keep } from './keep.ts'
import { openRawStation, type RawStation } from './station.ts'

export const tokens = { full: 'console-full-token', read: 'console-read-token' }

export interface Fleet extends AdminBridge {
  readonly troubled: RawStation
  /** Connects a station, and boots it. */
  open(id: string, version?: string): Promise<RawStation>
}

/** A station whose card is refused, and whose messages break OCPP. */
export const troubledId = 'CP-1203'

/** How many stations have booted; the rest are connected and silent, which costs the app nothing. */
const booted = 60
const atOnce = 100
const everyMs = 150

/** @param count stations in all */
export async function openFleet(keep: Keep, count: number): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-console-'))
  keep({ close: () => rmSync(folder, { recursive: true }) })
  const tokenFlags = [`--admin_token=${tokens.full}`, `--admin_read_token=${tokens.read}`]
  const flags = [...tokenFlags, '--ocpp_history=50', `--state_dir=${folder}`]
  const bridge = await openAdminBridge(keep, flags, answerOf)
  // The bridge closes their connections when it ends.
  const connect = (id: string, version: string) => openRawStation(bridge.bridge.url, id, { version })
  const open = async (id: string, version = 'ocpp1.6'): Promise<RawStation> => {
    const station = await connect(id, version)
    await station.call('boot', 'BootNotification', version === 'ocpp1.6' ? bootOf(id) : boot2)
    return station
  }
  const ids = Array.from({ length: count }, (_, at) => `CP-${String(at).padStart(4, '0')}`).filter(
    id => id !== troubledId,
  )
  const talkers = await Promise.all(ids.slice(0, booted).map(id => open(id, versionOf(id))))
  for (let from = booted; from < ids.length; from += atOnce)
    await Promise.all(ids.slice(from, from + atOnce).map(id => connect(id, versionOf(id))))
  const troubled = await open(troubledId)
  await getIntoTrouble(troubled)
  keep(openChatter(talkers))
  return { ...bridge, troubled, open }
}

function versionOf(id: string): string {
  return ['ocpp1.6', 'ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'][Number(id.slice(-1)) % 4] ?? 'ocpp1.6'
}

const boot2 = '{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}'

function answerOf({ command }: PerformData): object | null {
  if (command === 'Authorize') return { idTagInfo: { status: 'Blocked' } }
  return command === 'StartTransaction' ? { transactionId: 4711, idTagInfo: { status: 'Accepted' } } : null
}

async function getIntoTrouble(station: RawStation): Promise<void> {
  const start = { connectorId: 1, idTag: 'TAG1', meterStart: 1_000, timestamp: new Date().toISOString() }
  await station.call('t1', 'StartTransaction', JSON.stringify(start))
  const meterValue = [{ timestamp: start.timestamp, sampledValue: [{ value: '3200' }] }]
  await station.call('t2', 'MeterValues', JSON.stringify({ connectorId: 1, transactionId: 4711, meterValue }))
  await station.call('t3', 'Authorize', '{"idTag":"TAG2"}')
  await station.call('t4', 'StatusNotification', '{"connectorId":2,"errorCode":"CableStuck","status":"Faulted"}')
  await station.call('t5', 'GetTariff', '{"connectorId":1}')
}

/** Heartbeats, so that the rates are not zero. */
function openChatter(stations: readonly RawStation[]) {
  let turn = 0
  const timer = setInterval(() => {
    for (const station of stations.filter((_, at) => at % 7 === turn % 7)) station.send(`[2,"h${turn}","Heartbeat",{}]`)
    turn++
  }, everyMs)
  return { close: () => clearInterval(timer) }
}
