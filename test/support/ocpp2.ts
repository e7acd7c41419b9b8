/**
 * Messages of OCPP 2.0.1 and 2.1 stations.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Version } from '../../src/ocpp/version.ts'
import type { Bridge } from './bridge.ts'
import { openStation, type Payload, type Station } from './station.ts'

export const now = (): string => new Date().toISOString()

/** At most 25 characters, by the schema. */
export const serialOf = (id: string): string => `SN-${id}`.slice(0, 25)

export const bootOf = (id: string): Payload => ({
  reason: 'PowerUp',
  chargingStation: { model: 'Model', vendorName: 'Vendor', serialNumber: serialOf(id) },
})

/** Of 2.1. */
export const batterySwap: Payload = {
  batteryData: [{ evseId: 1, serialNumber: 'B1', soC: 80, soH: 99 }],
  eventType: 'BatteryIn',
  idToken: { idToken: 'A', type: 'Central' },
  requestId: 1,
}

/** OpenPeriodicEventStream, of 2.1. */
export const eventStream: Payload = {
  constantStreamData: { id: 1, params: { interval: 5, values: 10 }, variableMonitoringId: 3 },
}

/** A station whose boot was accepted. */
export async function openBooted(t: TestContext, { url }: Bridge, id: string, version: Version): Promise<Station> {
  const station = await openStation(url, id, { version })
  t.after(() => station.close())
  const boot = await station.call('BootNotification', bootOf(id))
  assert.deepEqual([boot['status'], boot['interval']], ['Accepted', 30])
  return station
}
