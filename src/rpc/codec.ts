/**
 * The calls and replies of `protos/rpc.proto` as bytes. The only import of @grpc/proto-loader.
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
} from '../cable/rpc.ts'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
  type Message,
} from './messages.ts'
import { itemsIn } from './items.ts'
import { maxReplyItems, tooManyItems } from './transport.ts'

export type Method<Call, Reply> = {
  readonly path: string
  readonly serialize: (call: Call) => Buffer
  /** @throws RpcError for bytes that are not the message, and for the status ERROR */
  readonly deserialize: (bytes: Buffer) => Reply
}

export type Service = {
  readonly connect: Method<ConnectCall, ConnectReply>
  readonly command: Method<CommandCall, CommandReply>
  readonly disconnect: Method<DisconnectCall, void>
}

export function readService(): Service {
  const file = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
  const proto = loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
  return {
    connect: methodOf(proto, 'Connect', connectionRequest, connectReply),
    command: methodOf(proto, 'Command', commandMessage, commandReply),
    disconnect: methodOf(proto, 'Disconnect', disconnectRequest, disconnectReply),
  }
}

/** @param replyFor  takes what the proto has the method respond with, which its definition does not type */
function methodOf<Call, Reply>(
  proto: ServiceDefinition,
  name: string,
  messageFor: (call: Call) => Message,
  replyFor: (response: never) => Reply,
): Method<Call, Reply> {
  const definition = proto[name]
  if (definition === undefined) throw new Error(`rpc.proto has no method ${name}`)
  const { path, requestSerialize, responseDeserialize, responseType } = definition
  const { field: fields } = responseType.type as { readonly field: readonly { name: string; number: number }[] }
  const envField = fields.find(({ name }) => name === 'env')?.number ?? null
  return {
    path,
    serialize: call => requestSerialize(messageFor(call)),
    deserialize: bytes => {
      // Each takes two bytes at least.
      if (bytes.length > 2 * maxReplyItems && itemsIn(bytes, envField, maxReplyItems) > maxReplyItems)
        throw tooManyItems()
      let response: object
      try {
        response = responseDeserialize(bytes)
      } catch (cause) {
        throw new RpcError('application', 'ran', 'the reply is not a message of rpc.proto', { cause })
      }
      return replyFor(response as never)
    },
  }
}
