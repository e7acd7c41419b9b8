/**
 * The replies of an app that does no work: it accepts every station, acks every perform, and returns the data of a
 * DataTransfer.
 */

export type ConnectRequest = { readonly env: { readonly url: string } }
export type CommandRequest = { readonly command: string; readonly identifier: string; readonly data: string }
/** In the data of a perform. */
type Call = { readonly id: string; readonly command: string; readonly payload: { readonly data?: string } }

export function connectReply({ env }: ConnectRequest): object {
  const stationId = env.url.replace(/.*\//, '')
  const identifiers = JSON.stringify({ station_id: stationId })
  return { status: 'SUCCESS', identifiers, transmissions: ['{"type":"welcome"}'] }
}

export function commandReply({ command, identifier, data }: CommandRequest): object {
  const { sn } = JSON.parse(identifier) as { sn: string }
  if (command === 'subscribe')
    return {
      status: 'SUCCESS',
      streams: [`ocpp:${sn}`],
      transmissions: [JSON.stringify({ identifier, type: 'confirm_subscription' })],
    }
  const call = JSON.parse(data) as Call
  // A station's answer to a command.
  if (call.command === 'Ack') return { status: 'SUCCESS' }
  const message = { command: 'Ack', id: call.id, payload: payloadFor(call) }
  return { status: 'SUCCESS', transmissions: [JSON.stringify({ identifier, message })] }
}

function payloadFor({ command, payload }: Call): object {
  if (command === 'DataTransfer') return { status: 'Accepted', data: payload.data }
  const currentTime = new Date().toISOString()
  if (command === 'BootNotification') return { status: 'Accepted', currentTime, interval: 300 }
  return command === 'Heartbeat' ? { currentTime } : {}
}
