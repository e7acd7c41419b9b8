/**
 * An app that does nothing but answer, as cheaply as grpc-js can: it acks every perform, and gives the data of a
 * DataTransfer back; but says nothing to a station whose serial number begins with `silent`.
 */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { announce } from './children.ts'
import { rpcService } from './proto.ts'

type Rpc<Request> = ServerUnaryCall<Request, object>
type Connect = { readonly env: { readonly url: string } }
type Command = { readonly command: string; readonly identifier: string; readonly data: string }
/** In the data of a perform. */
type Call = { readonly id: string; readonly command: string; readonly payload: { readonly data?: string } }

const server = new Server({ 'grpc.max_concurrent_streams': 1000 })
server.addService(rpcService(), {
  Connect: ({ request }: Rpc<Connect>, reply: sendUnaryData<object>) => {
    const stationId = request.env.url.replace(/.*\//, '')
    const identifiers = JSON.stringify({ station_id: stationId })
    reply(null, { status: 'SUCCESS', identifiers, transmissions: ['{"type":"welcome"}'] })
  },
  Command: ({ request }: Rpc<Command>, reply: sendUnaryData<object>) => reply(null, answer(request)),
  Disconnect: (_: Rpc<object>, reply: sendUnaryData<object>) => reply(null, { status: 'SUCCESS' }),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  announce(port)
})

function answer({ command, identifier, data }: Command): object {
  const { sn } = JSON.parse(identifier) as { sn: string }
  if (command === 'subscribe')
    return {
      status: 'SUCCESS',
      streams: [`ocpp:${sn}`],
      transmissions: [JSON.stringify({ identifier, type: 'confirm_subscription' })],
    }
  if (sn.startsWith('silent')) return { status: 'SUCCESS' }
  const call = JSON.parse(data) as Call
  const message = { command: 'Ack', id: call.id, payload: payloadFor(call) }
  return { status: 'SUCCESS', transmissions: [JSON.stringify({ identifier, message })] }
}

function payloadFor({ command, payload }: Call): object {
  if (command === 'DataTransfer') return { status: 'Accepted', data: payload.data }
  const currentTime = new Date().toISOString()
  if (command === 'BootNotification') return { status: 'Accepted', currentTime, interval: 300 }
  return command === 'Heartbeat' ? { currentTime } : {}
}
