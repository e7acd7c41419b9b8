/**
 * The calls of `protos/rpc.proto` as bytes, for whichever client carries them. The only import of @grpc/proto-loader.
 */
import { fileURLToPath } from 'node:url'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../../cable/rpc.ts'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
  type CommandResponse,
  type ConnectionResponse,
  type DisconnectResponse,
  type Message,
} from '../messages.ts'

export type Method<Call, Reply> = {
  readonly path: string
  readonly bytesOf: (call: Call) => Buffer
  /** @throws RpcError where the bytes are no such message, and for the status ERROR */
  readonly replyOf: (bytes: Buffer) => Reply
}

export type Service = {
  readonly connect: Method<ConnectCall, ConnectReply>
  readonly command: Method<CommandCall, CommandReply>
  readonly disconnect: Method<DisconnectCall, void>
}

export function readService(): Service {
  const file = fileURLToPath(new URL('../../../protos/rpc.proto', import.meta.url))
  const proto = loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
  return {
    connect: methodOf(proto, 'Connect', connectionRequest, said => connectReply(said as ConnectionResponse)),
    command: methodOf(proto, 'Command', commandMessage, said => commandReply(said as CommandResponse)),
    disconnect: methodOf(proto, 'Disconnect', disconnectRequest, said => disconnectReply(said as DisconnectResponse)),
  }
}

function methodOf<Call, Reply>(
  proto: ServiceDefinition,
  name: string,
  messageOf: (call: Call) => Message,
  replyOf: (response: object) => Reply,
): Method<Call, Reply> {
  const definition = proto[name]
  if (definition === undefined) throw new Error(`rpc.proto has no method ${name}`)
  const { path, requestSerialize, responseDeserialize } = definition
  return {
    path,
    bytesOf: call => requestSerialize(messageOf(call)),
    replyOf: bytes => replyOf(responseFrom(bytes, responseDeserialize)),
  }
}

function responseFrom(bytes: Buffer, deserialize: (bytes: Buffer) => object): object {
  try {
    return deserialize(bytes)
  } catch (cause) {
    throw new RpcError('application', 'ran', 'the reply is no message of rpc.proto', { cause })
  }
}
