/**
 * AnyCable's contract for the programs of a benchmark, read from the same `protos/rpc.proto` as the bridge's.
 */
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'

export function rpcService(): ServiceDefinition {
  const file = fileURLToPath(new URL('../protos/rpc.proto', import.meta.url))
  return loadSync(file, { keepCase: true, enums: String, defaults: true })['anycable.RPC'] as ServiceDefinition
}
