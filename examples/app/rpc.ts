/**
 * The example app's gRPC server: AnyCable's contract, with which the bridge tells the app what the stations do.
 *
 * Connect lets a station in, Command subscribes it to the channel and performs the channel's actions, Disconnect says
 * that it has gone. anycable-rails does all of this for a Rails app; here it is spelled out.
 */
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'
import type { channelFor, Data } from './channel.ts'

/** One line of the app's journal: what happened, at which station. */
export type Entry = {
  readonly event: string
  readonly station?: string
  /** The message that it was about, and the answer that the app gave, if it gave one. */
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

/** Listens on 127.0.0.1. Resolves with the port that was bound; rejects where it cannot be. */
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

/** Here an app looks at `env.headers` too, such as the station's password, and says FAILURE to whom it does not know. */
function connect({ url }: Env, note: (entry: Entry) => void): Reply {
  const station = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
  note({ event: 'connected', station })
  return {
    status: 'SUCCESS',
    // Comes back with every later call: it is how the app knows whose it is.
    identifiers: JSON.stringify({ station_id: station }),
    transmissions: [JSON.stringify({ type: 'welcome' })],
  }
}

function command(message: CommandMessage, channel: Channel, note: (entry: Entry) => void): Reply {
  const { identifier } = message
  const station = stationOf(message.connection_identifiers)
  const { sn } = JSON.parse(identifier) as { sn: string }
  const stream = `ocpp:ev/${sn}` // what `stream_for "ev/#{params["sn"]}"` makes in Rails
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

/** As the gem does it: what an action throws is an ERROR, which the bridge turns into an answer for the station. */
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
