/**
 * AnyCable's contract for the programs of a benchmark, from the bridge's `protos/rpc.proto`.
 */
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'

export function rpcService(): ServiceDefinition {
  const file = fileURLToPath(new URL('../protos/rpc.proto', import.meta.url))
  return loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
}
