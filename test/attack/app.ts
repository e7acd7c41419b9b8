/**
 * The app behind an attacked bridge, a process of its own: it accepts the stations whose identity begins with `healthy`,
 * and refuses all others. Prints its port.
 */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { rpcService } from '../../bench/proto.ts'
import { commandReply, connectReply, type CommandRequest, type ConnectRequest } from '../../bench/stub-replies.ts'

type Rpc<Request> = ServerUnaryCall<Request, object>

const isHealthy = (url: string): boolean => /\/healthy[^/]*$/.test(url)

const server = new Server({ 'grpc.max_concurrent_streams': 1000 })
server.addService(rpcService(), {
  Connect: ({ request }: Rpc<ConnectRequest>, reply: sendUnaryData<object>) =>
    reply(null, isHealthy(request.env.url) ? connectReply(request) : { status: 'FAILURE' }),
  Command: ({ request }: Rpc<CommandRequest>, reply: sendUnaryData<object>) => reply(null, commandReply(request)),
  Disconnect: (_: Rpc<object>, reply: sendUnaryData<object>) => reply(null, { status: 'SUCCESS' }),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.stdout.write(`port ${port}\n`)
})
