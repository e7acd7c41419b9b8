/**
 * An app with a number of threads that each take some time for a call. Calls are refused with code 8 while all threads
 * are busy, as the gem's server does. It counts the calls and ends when it is killed.
 */
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { serveTasks } from '../children.ts'
import { rpcService } from '../proto.ts'
import { commandReply, connectReply, type CommandRequest, type ConnectRequest } from '../stub-replies.ts'

export type Pace = { readonly threads: number; readonly callsPerSecond: number }

export type Task =
  /** @see Listening; port 0 is any */
  | { readonly kind: 'listen'; readonly port: number; readonly pace: Pace | null }
  /** The pace from now on; `null`: every call gets its reply at once. */
  | { readonly kind: 'pace'; readonly pace: Pace | null }
  /** @see Report */
  | { readonly kind: 'report' }

export type Listening = { readonly port: number; readonly at: number }

export type Report = {
  /** Calls received in each 100 ms since it listens. */
  readonly arrivals: readonly number[]
  /** Calls by name: `connect`, `disconnect`, or the command. */
  readonly calls: Readonly<Record<string, number>>
  readonly mostRunning: number
  readonly refused: number
  /** Accepted sessions without a Disconnect. */
  readonly openSessions: number
  /** Disconnects of sessions that were not open. */
  readonly strayEnds: number
}

const binMs = 100

const arrivals: number[] = []
const calls: Record<string, number> = {}
const sessions = new Set<string>()
let [running, mostRunning, refused, strayEnds, listeningAt] = [0, 0, 0, 0, 0]
let pace: Pace | null = null

const server = new Server({ 'grpc.max_concurrent_streams': 10_000 })
server.addService(rpcService(), {
  Connect: (call: ServerUnaryCall<ConnectRequest, object>, reply: sendUnaryData<object>) =>
    work('connect', reply, () => {
      sessions.add(sidOf(call))
      return connectReply(call.request)
    }),
  Command: ({ request }: ServerUnaryCall<CommandRequest, object>, reply: sendUnaryData<object>) =>
    work(request.command, reply, () => commandReply(request)),
  Disconnect: (call: ServerUnaryCall<object, object>, reply: sendUnaryData<object>) =>
    work('disconnect', reply, () => {
      if (!sessions.delete(sidOf(call))) strayEnds++
      return { status: 'SUCCESS' }
    }),
})

serveTasks(async (task: Task): Promise<Listening | Report | null> => {
  switch (task.kind) {
    case 'listen':
      pace = task.pace
      return { port: await listen(task.port), at: listeningAt }
    case 'pace':
      pace = task.pace
      return null
    case 'report':
      return {
        arrivals: Array.from({ length: arrivals.length }, (_, bin) => arrivals[bin] ?? 0),
        calls,
        mostRunning,
        refused,
        openSessions: sessions.size,
        strayEnds,
      }
  }
})

function listen(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      listeningAt = Date.now()
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
}

function work(name: string, reply: sendUnaryData<object>, run: () => object): void {
  const bin = Math.floor((Date.now() - listeningAt) / binMs)
  arrivals[bin] = (arrivals[bin] ?? 0) + 1
  calls[name] = (calls[name] ?? 0) + 1
  if (pace !== null && running >= pace.threads) {
    refused++
    reply({ code: status.RESOURCE_EXHAUSTED, details: 'No free threads in thread pool' })
    return
  }
  mostRunning = Math.max(mostRunning, ++running)
  const end = (): void => {
    running--
    reply(null, run())
  }
  if (pace === null) end()
  else setTimeout(end, msFor(pace))
}

/** The time of a call by which all threads together keep the pace; it varies from call to call. */
function msFor({ threads, callsPerSecond }: Pace): number {
  return (threads / callsPerSecond) * 1000 * (0.5 + Math.random())
}

function sidOf({ metadata }: ServerUnaryCall<never, object> | ServerUnaryCall<object, object>): string {
  return String(metadata.get('sid')[0])
}
