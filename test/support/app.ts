/**
 * An AnyCable gRPC server with scripted replies: real sockets on 127.0.0.1, messages in the names of rpc.proto.
 */
import { fileURLToPath } from 'node:url'
import { Server, ServerCredentials, type handleUnaryCall, type ServiceDefinition, type status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { streamOf } from './bridge.ts'
import { Mailbox } from './fakes.ts'
import { freePort } from './ports.ts'

export type RpcMethod = 'Connect' | 'Command' | 'Disconnect'

/** A call as received; missing fields have their defaults. */
export type Received = {
  readonly method: RpcMethod
  readonly metadata: Readonly<Record<string, string>>
  readonly message: Readonly<Record<string, unknown>>
}

/** Missing fields are not sent: `{}` is the status ERROR. */
type Reply = object
export type AppScript = (call: Received) => Reply | Promise<Reply>

/** A call that the app has received and not replied to. */
type HeldCall = {
  readonly arrived: Promise<Received>
  release(reply?: Reply): void
}

/** The data of a perform. */
export type PerformData = { readonly id: string; readonly command: string } & Readonly<Record<string, unknown>>

/** The app's reply to a perform: the payload of an Ack, the text of a whole message, or nothing. */
export type Ack = object | string | null
export type AckOf = (data: PerformData, text: string, stationId: string) => Ack | Promise<Ack>

/** The script of an app that accepts every station and streams to it by its `sn`, as `ocpp:ev/{sn}`. */
export function cableApp(ackOf: AckOf): AppScript {
  return async call => {
    const status = 'SUCCESS'
    const stationId = stationOf(call)
    if (call.method === 'Connect') return { status, identifiers: JSON.stringify({ stationId }) }
    const { command, identifier, data } = call.message as Readonly<Record<'command' | 'identifier' | 'data', string>>
    const transmit = (rest: string): object => ({
      status,
      transmissions: [`{"identifier":${JSON.stringify(identifier)},${rest}}`],
    })
    if (command === 'subscribe') {
      const { sn } = JSON.parse(identifier) as { readonly sn: string }
      return { ...transmit('"type":"confirm_subscription"'), streams: [streamOf(sn)] }
    }
    if (command !== 'message') return { status }
    const performed = JSON.parse(data) as PerformData
    const ack = await ackOf(performed, data, stationId)
    if (ack === null) return { status }
    const { id } = performed
    return transmit(`"message":${typeof ack === 'string' ? ack : JSON.stringify({ command: 'Ack', id, payload: ack })}`)
  }
}

/** The station of a call: the last segment of its URL. */
export function stationOf({ message }: Received): string {
  return (message['env'] as { readonly url: string }).url.split('/').at(-1) ?? ''
}

/** Thrown by a script for a gRPC status instead of a reply, such as 8 of a server without a free thread. */
export class GrpcStatus extends Error {
  readonly code: status

  constructor(code: status, details: string) {
    super(details)
    this.code = code
  }
}

const proto = fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url))
export const service = loadSync(proto, { keepCase: true, enums: String, defaults: true })[
  'anycable.RPC'
] as ServiceDefinition
export const methods: readonly RpcMethod[] = ['Connect', 'Command', 'Disconnect']

export class ScriptedApp {
  received = new Mailbox<Received>()
  readonly port: number
  /** How many calls are in flight at the app, and the most so far. */
  running = 0
  mostRunning = 0
  readonly #next: AppScript[] = []
  #always: AppScript = () => ({ status: 'SUCCESS' })
  #server: Server | null = null

  private constructor(port: number) {
    this.port = port
  }

  static async start(): Promise<ScriptedApp> {
    const app = new ScriptedApp(await freePort())
    await app.start()
    return app
  }

  get isRunning(): boolean {
    return this.#server !== null
  }

  get host(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Sets the script of every call without a `once`. */
  always(script: AppScript): void {
    this.#always = script
  }

  /** Sets the script of the next call. */
  once(script: AppScript): void {
    this.#next.push(script)
  }

  /** Holds the reply to the next call until the test releases it. */
  hold(): HeldCall {
    let arrive: (call: Received) => void = () => undefined
    let release: (reply: Reply) => void = () => undefined
    const arrived = new Promise<Received>(resolve => (arrive = resolve))
    const reply = new Promise<Reply>(resolve => (release = resolve))
    this.once(call => {
      arrive(call)
      return reply
    })
    return { arrived, release: (late = { status: 'SUCCESS' }) => release(late) }
  }

  /** Listens; after a `stop`, again on the same port. */
  async start(): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': -1 })
    server.addService(service, Object.fromEntries(methods.map(method => [method, this.#handler(method)])))
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(this.host, ServerCredentials.createInsecure(), error => {
        if (error === null) resolve()
        else reject(error)
      })
    })
    this.#server = server
  }

  /** Stops as if killed: calls in flight lose their connection. */
  stop(): void {
    this.#server?.forceShutdown()
    this.#server = null
  }

  #handler(method: RpcMethod): handleUnaryCall<Received['message'], Reply> {
    return ({ request, metadata }, callback) => {
      const call = { method, metadata: headersOf(metadata.getMap()), message: request }
      this.received.put(call)
      this.mostRunning = Math.max(this.mostRunning, ++this.running)
      const script = this.#next.shift() ?? this.#always
      void Promise.resolve(call)
        .then(script)
        .finally(() => this.running--)
        .then(
          reply => callback(null, reply),
          (error: unknown) =>
            callback(error instanceof GrpcStatus ? { code: error.code, details: error.message } : null),
        )
    }
  }
}

/** The headers of a call without those of gRPC and HTTP/2. */
export function headersOf(headers: object): Record<string, string> {
  const isOwn = /^(:.*|user-agent|grpc-.*|te|content-type|accept-encoding)$/
  const others = Object.entries(headers).filter(([name]) => !isOwn.test(name))
  return Object.fromEntries(others.map(([name, value]) => [name, String(value)]))
}
