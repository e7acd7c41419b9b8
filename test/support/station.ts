/**
 * Charging stations: `ocpp-rpc`'s client, which checks every message both ways against the official schemas, and a bare
 * WebSocket for what that one does not send.
 */
import { createRPCError, createValidator, RPCClient } from 'ocpp-rpc'
import { WebSocket } from 'ws'
import type { Version } from '../../src/ocpp/version.ts'
import { officialSchemas } from './official-schemas.ts'

export type Payload = Readonly<Record<string, unknown>>

/** With what the connection was closed. */
export type Closing = { readonly code: number; readonly reason: string }

export type Sent = { readonly id: string; readonly action: string; readonly payload: Payload }

export type StationOptions = {
  readonly version?: Version
  /** By HTTP Basic, with the station's id as the user. */
  readonly password?: string
  /** Connects again by itself when the connection is lost. */
  readonly reconnects?: boolean
  /** PEM, of the certificate that the other side must have. */
  readonly ca?: string
}

export interface Station {
  readonly id: string
  /** Its CALLs, in order. */
  readonly sent: readonly Sent[]
  /** Resolves with the answer's payload; rejects with the CALLERROR, see `codeOf`. */
  call(action: string, payload?: Payload): Promise<Payload>
  /** How it answers an action of the CSMS from now on. What it was not told, it answers with NotImplemented. */
  answers(action: string, answer: (payload: Payload) => Payload | Promise<Payload>): void
  /** Settles when the connection ends for the first time. */
  readonly closed: Promise<Closing>
  /** Settles when it has connected for the next time. */
  reconnected(): Promise<void>
  /** Ends the connection without a word, as a cut cable does. */
  vanish(): Promise<void>
  /** Rejects if it was ever sent what is not valid; it fails the test that has it in its `after`. */
  close(): Promise<void>
}

/** The package looks for 2.1's schemas under the names of the older versions, and finds none: they are renamed for it. */
const validator21 = createValidator(
  'ocpp2.1',
  officialSchemas('ocpp2.1').map(schema => ({
    ...schema,
    $id: schema.$id.replace(/Request$/, '.req').replace(/Response$/, '.conf'),
  })),
)

const callTimeoutMs = 40_000
const messageWithinMs = 30_000

/** Connects a station; rejects where the upgrade is refused, the HTTP status in the error's `code`. */
export async function openStation(url: string, id: string, options: StationOptions = {}): Promise<Station> {
  const client = new RPCClient(clientOptions(url, id, options))
  const sent: Sent[] = []
  const faults: string[] = []
  client.on('call', ({ outbound, payload }: { outbound: boolean; payload: [number, string, string, Payload] }) => {
    if (outbound) sent.push({ id: payload[1], action: payload[2], payload: payload[3] })
  })
  client.on('strictValidationFailure', ({ method, error }: { method: string; error: Error }) =>
    faults.push(`${method}: ${error.message}`),
  )
  client.on('badMessage', ({ buffer, error }: { buffer: Buffer; error: Error }) =>
    faults.push(`${error.message}: ${buffer.toString()}`),
  )
  // It comes for a connection that is lost, by whomever, also where 'close' is held back by a reconnect.
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
      end.abort() // or it would wait for an answer that a test holds back
      await client.close()
      if (faults.length > 0) throw new Error(`${id} was sent what is not valid:\n${faults.join('\n')}`)
    },
  }
}

/** For a station's answer: throw it, and the CSMS gets a CALLERROR. */
export function callErrorOf(code: string, description: string): Error {
  return createRPCError(code, description) as Error // its types take it for a record
}

/** The code of the CALLERROR that a call ends with; rejects where it ends otherwise. */
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
  { version = 'ocpp1.6', password, reconnects = false, ca }: StationOptions,
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
    wsOpts: { ...(ca !== undefined && { ca }) },
  }
  // Its types want every option, its code has a default for each.
  return options as ConstructorParameters<typeof RPCClient>[0]
}

export interface RawStation {
  /** The subprotocol that was agreed on. */
  readonly protocol: string
  /** The messages received, in order. */
  readonly received: readonly string[]
  send(text: string): void
  /** Sends a CALL and resolves with the text of the answer. */
  call(id: string, action: string, payload?: string): Promise<string>
  /** The first message that matches, received already or still to come; rejects when the connection ends before. */
  message(pattern: RegExp): Promise<string>
  readonly closed: Promise<Closing>
  close(): Promise<void>
}

export async function openRawStation(
  url: string,
  id: string,
  { version = 'ocpp1.6', headers = {} }: { readonly version?: string; readonly headers?: Record<string, string> } = {},
): Promise<RawStation> {
  const ws = new WebSocket(`${url}/${encodeURIComponent(id)}`, [version], { headers })
  const received: string[] = []
  const waiting = new Set<() => void>()
  ws.on('message', (data: Buffer) => {
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
  const send = (text: string) => ws.send(text)
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
