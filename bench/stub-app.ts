/**
 * An app that only replies, as cheaply as grpc-js can.
 */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { announce } from './children.ts'
import { rpcService } from './proto.ts'
import { commandReply, connectReply, type CommandRequest, type ConnectRequest } from './stub-replies.ts'

type Rpc<Request> = ServerUnaryCall<Request, object>

const server = new Server({ 'grpc.max_concurrent_streams': 1000 })
server.addService(rpcService(), {
  Connect: ({ request }: Rpc<ConnectRequest>, reply: sendUnaryData<object>) => reply(null, connectReply(request)),
  Command: ({ request }: Rpc<CommandRequest>, reply: sendUnaryData<object>) => reply(null, commandReply(request)),
  Disconnect: (_: Rpc<object>, reply: sendUnaryData<object>) => reply(null, { status: 'SUCCESS' }),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  announce(port)
})
