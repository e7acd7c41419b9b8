/**
 * The words of OCPP that the log may show of a text that is not JSON: names of members that matter to an operator, enum
 * values of charges, actions. A tag or password is none of them.
 *
 * Pure. In lower case, because stations spell them in every case.
 */

/** Members whose values are numbers. */
const counts = words(`
  transactionId meterStart meterStop connectorId evseId seqNo value reservationId remoteStartId numberOfPhasesUsed
  cableMaxCurrent timeSpentCharging multiplier interval
`)

const names = words(`
  timestamp reason stoppedReason eventType triggerReason chargingState offline transactionInfo transactionData meterValue
  sampledValue measurand unit unitOfMeasure context format location phase evse idTag idToken parentIdTag groupIdToken
  additionalIdToken additionalInfo idTagInfo idTokenInfo type status errorCode info vendorId vendorErrorCode messageId
  data key readonly configurationKey unknownKey currentTime chargePointVendor chargePointModel firmwareVersion
  customData signedMeterValue
`)

const actions = words(`
  StartTransaction StopTransaction TransactionEvent MeterValues Authorize BootNotification Heartbeat StatusNotification
  DataTransfer FirmwareStatusNotification DiagnosticsStatusNotification LogStatusNotification
  SecurityEventNotification SignCertificate NotifyEvent NotifyReport NotifyMonitoringReport NotifyChargingLimit
  NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyCustomerInformation NotifyDisplayMessages
  ReportChargingProfiles ReservationStatusUpdate ClearedChargingLimit
`)

const enums = words(`
  Started Updated Ended EmergencyStop EVDisconnected HardReset SoftReset Local Other PowerLoss PowerQuality Reboot Remote
  UnlockCommand DeAuthorized EnergyLimitReached GroundFault ImmediateReset LocalOutOfCredit MasterPass OvercurrentFault
  SOCLimitReached StoppedByEV TimeLimitReached Timeout Authorized CablePluggedIn ChargingRateChanged
  ChargingStateChanged Deauthorized EVCommunicationLost EVConnectTimeout EVDeparted EVDetected MeterValueClock
  MeterValuePeriodic RemoteStart RemoteStop StopAuthorized Trigger AbnormalCondition SignedDataReceived Charging
  EVConnected SuspendedEV SuspendedEVSE Idle Available Preparing Finishing Reserved Unavailable Faulted Occupied NoError
  Accepted Pending Rejected Blocked Expired Invalid ConcurrentTx ISO14443 ISO15693 Central eMAID KeyCode
  NoAuthorization Interruption.Begin Interruption.End Sample.Clock Sample.Periodic Transaction.Begin Transaction.End
  Energy.Active.Import.Register Energy.Active.Export.Register Energy.Active.Import.Interval
  Energy.Active.Export.Interval Energy.Reactive.Import.Register Energy.Reactive.Export.Register Power.Active.Import
  Power.Active.Export Power.Offered Power.Factor Current.Import Current.Export Current.Offered Voltage Frequency
  Temperature SoC RPM Wh kWh varh kvarh W kW VA kVA var kvar A V Celsius Fahrenheit K Percent Raw SignedData Body Cable
  EV Inlet Outlet L1 L2 L3 N L1-N L2-N L3-N L1-L2 L2-L3 L3-L1
`)

const others = words('true false null ping pong alive keepalive')

const known = new Set([...counts, ...names, ...actions, ...enums, ...others])

export function isKnownWord(word: string): boolean {
  return known.has(word.toLowerCase())
}

/** Whether a member's value is a number. */
export function isCount(name: string): boolean {
  return counts.has(name.toLowerCase())
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.trim().toLowerCase().split(/\s+/))
}
