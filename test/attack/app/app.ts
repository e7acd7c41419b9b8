/**
 * The app behind an attacked bridge, a process of its own: it accepts the stations whose identity begins with `healthy`
 * and that send no credentials, or those that the bridge has checked, and refuses all others. `giant` in an identity
 * asks for replies that no app would send. Prints its port.
 */
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { rpcService } from '../../../bench/proto.ts'
import { giantFor } from './giants.ts'
import { commandReply, connectReply, type CommandRequest, type ConnectRequest } from '../../../bench/stub-replies.ts'

type Rpc<Request> = ServerUnaryCall<Request, object>
type Connecting = ConnectRequest & { readonly env: { readonly headers: Readonly<Record<string, string>> } }

const checksKeys = process.argv.includes('--keys-are-checked')
const isWelcome = ({ env: { url, headers } }: Connecting): boolean =>
  checksKeys || (/\/healthy[^/]*$/.test(url) && headers['authorization'] === undefined)

const { Connect, Command, Disconnect } = rpcService()
if (Connect === undefined || Command === undefined || Disconnect === undefined) throw new Error('protos/rpc.proto')
const bytesOf = (reply: object): Buffer => (Buffer.isBuffer(reply) ? reply : Command.responseSerialize(reply))

const server = new Server({ 'grpc.max_concurrent_streams': 1000 })
server.addService(
  { Connect, Command: { ...Command, responseSerialize: bytesOf }, Disconnect },
  {
    Connect: ({ request }: Rpc<Connecting>, reply: sendUnaryData<object>) =>
      reply(null, isWelcome(request) ? connectReply(request) : { status: 'FAILURE' }),
    Command: ({ request }: Rpc<CommandRequest>, reply: sendUnaryData<object>) => {
      const giant = request.command === 'message' ? giantFor(request.identifier) : null
      reply(null, giant ?? commandReply(request))
    },
    Disconnect: (_: Rpc<object>, reply: sendUnaryData<object>) => reply(null, { status: 'SUCCESS' }),
  },
)
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.stdout.write(`port ${port}\n`)
})
