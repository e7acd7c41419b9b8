/**
 * The example app's gRPC server, which implements AnyCable's contract.
 *
 * Connect accepts a station, Command subscribes it to the channel and performs the channel's actions, and Disconnect
 * reports that it has left. In a Rails app, anycable-rails does all of this.
 */
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'
import type { channelFor, Data } from './channel.ts'

/** One line of the app's journal. */
export type Entry = {
  readonly event: string
  readonly station?: string
  /** The id of the message, and the app's answer, if any. */
  readonly id?: string
  readonly answer?: object
  readonly [detail: string]: unknown
}

type Env = { readonly url: string }
type CommandMessage = {
  readonly command: string
  readonly identifier: string
  readonly connection_identifiers: string
  readonly data: string
}
type Reply = {
  readonly status: 'SUCCESS' | 'FAILURE' | 'ERROR'
  readonly identifiers?: string
  readonly streams?: readonly string[]
  readonly stop_streams?: boolean
  readonly transmissions?: readonly string[]
  readonly error_msg?: string
}
type Handler<Request> = (call: { readonly request: Request }, answer: (error: null, reply: Reply) => void) => void

type Channel = ReturnType<typeof channelFor>

/** Listens on 127.0.0.1. Resolves with the bound port; rejects if it cannot be bound. */
export async function openRpc(port: number, channel: Channel, note: (entry: Entry) => void) {
  const server = new Server()
  const handler =
    <Request>(reply: (request: Request) => Reply): Handler<Request> =>
    ({ request }, answer) =>
      answer(
        null,
        orError(() => reply(request), note),
      )
  server.addService(serviceOf('../../protos/rpc.proto'), {
    Connect: handler(({ env }: { env: Env }) => connect(env, note)),
    Command: handler((message: CommandMessage) => command(message, channel, note)),
    Disconnect: handler(({ identifiers }: { identifiers: string }) => disconnect(identifiers, note)),
  })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  return { port: bound, close: () => server.forceShutdown() }
}

/** A real app would also check `env.headers`, such as the station's password, and reply FAILURE to unknown stations. */
function connect({ url }: Env, note: (entry: Entry) => void): Reply {
  const station = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
  note({ event: 'connected', station })
  return {
    status: 'SUCCESS',
    // Sent back with every later call, so that the app knows the station.
    identifiers: JSON.stringify({ station_id: station }),
    transmissions: [JSON.stringify({ type: 'welcome' })],
  }
}

function command(message: CommandMessage, channel: Channel, note: (entry: Entry) => void): Reply {
  const { identifier } = message
  const station = stationOf(message.connection_identifiers)
  const { sn } = JSON.parse(identifier) as { sn: string }
  const stream = `ocpp:ev/${sn}` // like `stream_for "ev/#{params["sn"]}"` in Rails
  switch (message.command) {
    case 'subscribe':
      note({ event: 'subscribed', station, stream })
      return {
        status: 'SUCCESS',
        streams: [stream],
        transmissions: [JSON.stringify({ identifier, type: 'confirm_subscription' })],
      }
    case 'unsubscribe':
      note({ event: 'unsubscribed', station, stream })
      return { status: 'SUCCESS', stop_streams: true }
    default: {
      const { action, ...data } = JSON.parse(message.data) as Data & { readonly action: string }
      const payload = Object.hasOwn(channel, action) ? channel[action]?.(data, { station, stream }) : undefined
      note({ event: action, station, ...data, ...(payload && { answer: payload }) })
      if (payload === undefined) return { status: 'SUCCESS' }
      const ack = { command: 'Ack', id: data.id, payload }
      return { status: 'SUCCESS', transmissions: [JSON.stringify({ identifier, message: ack })] }
    }
  }
}

function disconnect(identifiers: string, note: (entry: Entry) => void): Reply {
  note({ event: 'disconnected', station: stationOf(identifiers) })
  return { status: 'SUCCESS' }
}

function stationOf(identifiers: string): string {
  return (JSON.parse(identifiers) as { station_id: string }).station_id
}

/** As in the gem, an action that throws becomes an ERROR, which the bridge turns into an answer to the station. */
function orError(reply: () => Reply, note: (entry: Entry) => void): Reply {
  try {
    return reply()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    note({ event: 'raised', message })
    return { status: 'ERROR', error_msg: message }
  }
}

function serviceOf(proto: string): ServiceClientConstructor['service'] {
  const file = fileURLToPath(new URL(proto, import.meta.url))
  const loaded = loadPackageDefinition(loadSync(file, { keepCase: true, enums: String, defaults: true }))
  return (loaded as unknown as { anycable: { RPC: ServiceClientConstructor } }).anycable.RPC.service
}
