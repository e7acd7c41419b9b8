/**
 * The only connector of the simulated station: its meter, clock and transaction, as OCPP 1.6 payloads.
 *
 * No socket, no output. Each meter reading represents a quarter of an hour of charging at 11 kW.
 */
import type { Payload } from './station.ts'

const quarterWh = [2740, 2755, 2748, 2762]
const quarterMs = 15 * 60_000
/** Energy between the last reading and the stop. */
const restWh = 12
const connectorId = 1

export const serialNumber = 'SN-0042'

export class Connector {
  transactionId: number | null = null
  #wh = 1_482_350
  #clock = 0
  #readings = 0

  get isCharging(): boolean {
    return this.transactionId !== null
  }

  boot(): Payload {
    return {
      chargePointVendor: 'Example',
      chargePointModel: 'Simulated 11 kW',
      chargePointSerialNumber: serialNumber,
      firmwareVersion: '1.0.0',
    }
  }

  status(): Payload {
    return { connectorId, errorCode: 'NoError', status: this.isCharging ? 'Charging' : 'Available' }
  }

  start(idTag: string): Payload {
    this.#readings = 0
    this.#clock = Math.max(this.#clock, Date.now() - 4 * quarterMs)
    return { connectorId, idTag, meterStart: this.#wh, timestamp: this.#timestamp() }
  }

  /** The next meter reading, a quarter of an hour later. */
  reading(): Payload {
    const wh = quarterWh[this.#readings++ % quarterWh.length] ?? 0
    this.#wh += wh
    this.#clock += quarterMs
    const sampledValue = [
      { value: String(this.#wh), measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
      { value: String(wh * 4), measurand: 'Power.Active.Import', unit: 'W' },
    ]
    return {
      connectorId,
      transactionId: this.transactionId,
      meterValue: [{ timestamp: this.#timestamp(), sampledValue }],
    }
  }

  stop(reason: string): Payload {
    this.#wh += restWh
    return { transactionId: this.transactionId, meterStop: this.#wh, timestamp: this.#timestamp(), reason }
  }

  /** The station's answer to a remote command; `null` for an unknown command. */
  answerTo(action: string, payload: Payload): Payload | null {
    switch (action) {
      case 'RemoteStartTransaction':
        return { status: this.isCharging ? 'Rejected' : 'Accepted' }
      case 'RemoteStopTransaction': {
        const isMine = this.isCharging && payload['transactionId'] === this.transactionId
        return { status: isMine ? 'Accepted' : 'Rejected' }
      }
      case 'TriggerMessage':
        return {
          status: this.triggered(String(payload['requestedMessage'])) === null ? 'NotImplemented' : 'Accepted',
        }
      default:
        return null
    }
  }

  /** The message that a TriggerMessage requests; `null` if the station does not support it. */
  triggered(requested: string): Payload | null {
    switch (requested) {
      case 'BootNotification':
        return this.boot()
      case 'StatusNotification':
        return this.status()
      case 'Heartbeat':
        return {}
      default:
        return null
    }
  }

  #timestamp(): string {
    return new Date(this.#clock).toISOString().replace(/\.\d+/, '')
  }
}
