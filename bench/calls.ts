/**
 * The calls of the stations: OCPP 1.6, each payload valid by its schema.
 */

/** `longData` is above 1 KiB in both directions, `meterValues` below. */
export type CallName = 'boot' | 'heartbeat' | 'status' | 'meterValues' | 'longData'

type Call = { readonly action: string; readonly payload: (sn: string) => object }

const at = '2025-03-01T12:00:00Z'
const context = 'Sample.Periodic'
const meterValues = {
  connectorId: 1,
  transactionId: 471_100,
  meterValue: [
    {
      timestamp: at,
      sampledValue: [
        { value: '1032450', context, measurand: 'Energy.Active.Import.Register', unit: 'Wh' },
        { value: '11040.0', context, measurand: 'Power.Active.Import', unit: 'W' },
        { value: '16.0', context, measurand: 'Current.Import', phase: 'L1', unit: 'A' },
        { value: '15.9', context, measurand: 'Current.Import', phase: 'L2', unit: 'A' },
        { value: '16.1', context, measurand: 'Current.Import', phase: 'L3', unit: 'A' },
        { value: '230.4', context, measurand: 'Voltage', phase: 'L1-N', unit: 'V' },
      ],
    },
  ],
}

const longBytes = 2_000
const readings = Array.from({ length: 100 }, (_, row) => `${at};${row};${230 + (row % 7)};${(row * 7919) % 10_007}`)

export const calls: Readonly<Record<CallName, Call>> = {
  boot: {
    action: 'BootNotification',
    payload: sn => ({ chargePointVendor: 'Vendor', chargePointModel: 'Model', meterSerialNumber: sn }),
  },
  heartbeat: { action: 'Heartbeat', payload: () => ({}) },
  status: {
    action: 'StatusNotification',
    payload: () => ({ connectorId: 1, errorCode: 'NoError', status: 'Available' }),
  },
  meterValues: { action: 'MeterValues', payload: () => meterValues },
  longData: {
    action: 'DataTransfer',
    payload: () => ({ vendorId: 'com.example', data: readings.join(' ').slice(0, longBytes) }),
  },
}
