/**
 * A fleet for the console: a bridge with tokens, many stations, and a few of them in trouble.
 */
import type { Keep } from './keep.ts'
import type { PerformData } from './app.ts'
import { bootOf, openAdminBridge, type AdminBridge } from './admin-bridge.ts'
import { openRawStation, type RawStation } from './station.ts'

export const tokens = { full: 'console-full-token', read: 'console-read-token' }

export interface Fleet extends AdminBridge {
  /** A station in trouble: its card is refused, it sends what OCPP does not know, and it answers commands. */
  readonly troubled: RawStation
  station(id: string, version?: string): Promise<RawStation>
}

export const troubledId = 'CP-1203'

/** @param count stations, beside the one in trouble */
export async function openFleet(keep: Keep, count: number, flags: readonly string[] = []): Promise<Fleet> {
  const bridge = await openAdminBridge(
    keep,
    [`--admin_token=${tokens.full}`, `--admin_read_token=${tokens.read}`, '--ocpp_history=50', ...flags],
    answerOf,
  )
  const station = async (id: string, version = 'ocpp1.6'): Promise<RawStation> => {
    const opened = keep(await openRawStation(bridge.bridge.url, id, { version }))
    await opened.call('boot', 'BootNotification', version === 'ocpp1.6' ? bootOf(id) : boot2)
    return opened
  }
  for (let from = 0; from < count; from += 100) {
    const ids = Array.from(
      { length: Math.min(100, count - from) },
      (_, at) => `CP-${String(from + at).padStart(4, '0')}`,
    )
    await Promise.all(ids.filter(id => id !== troubledId).map(id => station(id, versionOf(id))))
  }
  return { ...bridge, station, troubled: await station(troubledId) }
}

function versionOf(id: string): string {
  return ['ocpp1.6', 'ocpp1.6', 'ocpp2.0.1', 'ocpp2.1'][Number(id.slice(-1)) % 4] ?? 'ocpp1.6'
}

const boot2 = '{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}'

function answerOf({ command }: PerformData): object | null {
  if (command === 'Authorize') return { idTagInfo: { status: 'Blocked' } }
  return command === 'StartTransaction' ? { transactionId: 4711, idTagInfo: { status: 'Accepted' } } : null
}
