/**
 * Charging Stations: `ocpp-rpc`'s client, which validates every message in both directions, and a bare WebSocket for
 * messages that this client does not send.
 */
import { createRPCError, createValidator, RPCClient } from 'ocpp-rpc'
import { WebSocket } from 'ws'
import type { Version } from '../../src/ocpp/version.ts'
import { officialSchemas } from './official-schemas.ts'
import { noteFrame, noteHeaders, noteKey } from './secrets.ts'

export type Payload = Readonly<Record<string, unknown>>

/** How the connection was closed. */
export type Closing = { readonly code: number; readonly reason: string }

export type Sent = { readonly id: string; readonly action: string; readonly payload: Payload }

export type StationOptions = {
  readonly version?: Version
  /** For HTTP Basic, with the station's id as the user. */
  readonly password?: string | Buffer
  /** Whether it reconnects when the connection is lost. */
  readonly reconnects?: boolean
  /** The CA certificate, in PEM, that the bridge's certificate must match. */
  readonly ca?: string
  /** The station's own certificate and its key, in PEM. */
  readonly cert?: string
  readonly key?: string
  /** The address that it connects from. */
  readonly localAddress?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The name in the bridge's certificate, if it is not that of its URL. */
  readonly servername?: string
}

export interface Station {
  readonly id: string
  /** Its CALLs, in order. */
  readonly sent: readonly Sent[]
  /** Resolves with the answer's payload; rejects with the CALLERROR, see `codeOf`. */
  call(action: string, payload?: Payload): Promise<Payload>
  /** Sets the answer to an action of the CSMS. Other actions get NotImplemented. */
  answers(action: string, answer: (payload: Payload) => Payload | Promise<Payload>): void
  /** Resolves when the first connection ends. */
  readonly closed: Promise<Closing>
  /** Resolves at the next connection. */
  reconnected(): Promise<void>
  /** Ends the connection without a close frame, as a cut cable does. */
  vanish(): Promise<void>
  /** Rejects if the station received an invalid message: called in `after`, it fails the test. */
  close(): Promise<void>
}

/** The package looks for the schemas of 2.1 under the names of the older versions, so they are renamed. */
const validator21 = createValidator(
  'ocpp2.1',
  officialSchemas('ocpp2.1').map(schema => ({
    ...schema,
    $id: schema.$id.replace(/Request$/, '.req').replace(/Response$/, '.conf'),
  })),
)

const callTimeoutMs = 40_000
const messageWithinMs = 30_000

/** Connects a station; rejects when the upgrade is refused, with the HTTP status in the error's `code`. */
export async function openStation(url: string, id: string, options: StationOptions = {}): Promise<Station> {
  const client = new RPCClient(clientOptions(url, id, options))
  const sent: Sent[] = []
  const faults: string[] = []
  if (options.password !== undefined) noteKey(id, options.password)
  noteHeaders(options.headers ?? {})
  client.on('call', ({ outbound, payload }: { outbound: boolean; payload: [number, string, string, Payload] }) => {
    noteFrame(JSON.stringify(payload))
    if (outbound) sent.push({ id: payload[1], action: payload[2], payload: payload[3] })
  })
  client.on('strictValidationFailure', ({ method, error }: { method: string; error: Error }) =>
    faults.push(`${method}: ${error.message}`),
  )
  client.on('badMessage', ({ buffer, error }: { buffer: Buffer; error: Error }) =>
    faults.push(`${error.message}: ${buffer.toString()}`),
  )
  // 'disconnect' comes for every lost connection; 'close' does not come when the client reconnects.
  const closed = new Promise<Closing>(resolve => client.once('disconnect', resolve))
  await client.connect()
  const end = new AbortController()
  const ended = new Promise<never>((_, reject) =>
    end.signal.addEventListener('abort', () => reject(new Error('the station is being closed'))),
  )
  ended.catch(() => undefined)

  return {
    id,
    sent,
    call: async (action, payload = {}) => (await client.call(action, payload)) as Payload,
    answers: (action, answer) => client.handle(action, ({ params = {} }) => Promise.race([answer(params), ended])),
    closed,
    reconnected: () => new Promise(resolve => client.once('open', () => resolve())),
    vanish: async () => {
      await client.close({ force: true })
    },
    close: async () => {
      end.abort() // otherwise close waits for an answer that a test holds back
      await client.close()
      if (faults.length > 0) throw new Error(`${id} was sent what is not valid:\n${faults.join('\n')}`)
    },
  }
}

/** Thrown in a station's answer, it becomes a CALLERROR. */
export function callErrorOf(code: string, description: string): Error {
  return createRPCError(code, description) as Error // its type is a record
}

/** The code of the CALLERROR to a call; rejects when there is another answer. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const outcome = await call.then(
    payload => `a CALLRESULT: ${JSON.stringify(payload)}`,
    (error: unknown) => error,
  )
  if (outcome instanceof Error && 'rpcErrorCode' in outcome) return String(outcome.rpcErrorCode)
  throw new Error('expected a CALLERROR', { cause: outcome })
}

function clientOptions(
  endpoint: string,
  identity: string,
  { version = 'ocpp1.6', password, reconnects = false, headers, cert, ...socket }: StationOptions,
): ConstructorParameters<typeof RPCClient>[0] {
  const options = {
    endpoint,
    identity,
    protocols: [version],
    strictMode: true,
    strictModeValidators: [validator21],
    callTimeoutMs,
    reconnect: reconnects,
    backoff: { initialDelay: 50, maxDelay: 200, factor: 2, randomisationFactor: 0.5 },
    ...(password !== undefined && { password }),
    ...(headers !== undefined && { headers }),
    wsOpts: { ...socket, ...(cert !== undefined && { cert }) },
  }
  // The types require every option; the code has a default for each.
  return options as ConstructorParameters<typeof RPCClient>[0]
}

export interface RawStation {
  /** The negotiated subprotocol. */
  readonly protocol: string
  /** The messages received, in order. */
  readonly received: readonly string[]
  send(text: string): void
  /** Sends a CALL and resolves with the text of the answer. */
  call(id: string, action: string, payload?: string): Promise<string>
  /** The first matching message, whether already received or not; rejects when the connection ends first. */
  message(pattern: RegExp): Promise<string>
  readonly closed: Promise<Closing>
  close(): Promise<void>
}

export async function openRawStation(
  url: string,
  id: string,
  {
    version = 'ocpp1.6',
    headers = {},
    ...tls
  }: {
    readonly version?: string
    readonly headers?: Record<string, string>
    /** The CA certificate, in PEM, that the server's certificate must match. */
    readonly ca?: string
  } = {},
): Promise<RawStation> {
  const ws = new WebSocket(`${url}/${encodeURIComponent(id)}`, [version], { headers, ...tls })
  noteHeaders(headers)
  const received: string[] = []
  const waiting = new Set<() => void>()
  ws.on('message', (data: Buffer) => {
    noteFrame(data.toString())
    received.push(data.toString())
    for (const look of waiting) look()
  })
  const closed = new Promise<Closing>(resolve =>
    ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve)
    ws.once('error', reject)
  })

  const message = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = received.find(text => pattern.test(text))
        if (found !== undefined) end(() => resolve(found))
      }
      const end = (settle: () => void) => {
        waiting.delete(look)
        clearTimeout(timer)
        settle()
      }
      const fail = (why: string) => reject(new Error(`${why} without ${pattern}:\n${received.join('\n')}`))
      const timer = setTimeout(() => end(() => fail(`${messageWithinMs} ms`)), messageWithinMs)
      waiting.add(look)
      look()
      void closed.then(({ code }) => end(() => fail(`closed with ${code}`)))
    })
  const send = (text: string) => {
    noteFrame(text)
    ws.send(text)
  }
  return {
    protocol: ws.protocol,
    received,
    send,
    call: (messageId, action, payload = '{}') => {
      send(`[2,${JSON.stringify(messageId)},${JSON.stringify(action)},${payload}]`)
      return message(new RegExp(`^\\[[34],${JSON.stringify(messageId)},`))
    },
    message,
    closed,
    close: async () => {
      ws.close(1000)
      await closed
    },
  }
}
