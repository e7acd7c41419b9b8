/**
 * Why a remote command failed without a word from the station: the bridge's own codes, and what the app reads beside
 * them.
 */
export const failures = {
  InvalidPayload: 'The payload is not an object, or violates its schema',
  UnknownAction: 'This version of OCPP has no such action from the CSMS to a Charging Station',
  InvalidId: 'The id has more than 36 characters, or is in use by a command that has not ended',
  NotAccepted: 'The Charging Station has not been accepted',
  QueueFull: 'Too many commands wait for this Charging Station',
  NotSent: 'The command was not sent: an earlier command is still open',
  KeyNotStored: 'The command was not sent: its key cannot be stored in ocpp_auth_file',
  CallTimeout: 'The Charging Station did not answer in time',
  ConnectionClosed: 'The connection of the Charging Station was closed',
  InvalidResult: 'The answer of the Charging Station is not a valid frame, or violates its schema',
} as const

export type CommandFailure = keyof typeof failures
