/**
 * The app over HTTP, as the gem's `AnyCable::HTTRPC::Server` serves it: one POST for each call.
 *
 * Source: AnyCable `rpc/http.go`, `etc/rpc-openapi.yml`.
 */
import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  isAway,
  mayRepeat,
  RpcError,
  type Caller,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../../cable/rpc.ts'
import type { Cancellation } from '../../session/ports.ts'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
  protov,
  type Message,
} from '../messages.ts'
import { aborted, closed, tooLarge, type OpenTransport, type SizeLimits } from '../transport.ts'
import type { Trust } from '../trust.ts'
import { redactFrame } from '../../ops/redact/redact.ts'
import { commandResponseOf, connectionResponseOf, disconnectResponseOf, jsonOf } from './json.ts'
import { abortRequests, closeTarget, post, targetFor, type Answer, type Target } from './post.ts'
import { rpcErrorForStatus } from './status.ts'

export type HttpSettings = {
  /** `http://` or `https://`; the names of the calls are appended to its path. */
  readonly url: string
  /** Sent as `Authorization: Bearer …`; `null` for none. */
  readonly key: string | null
  readonly trust: Trust
  readonly limits: SizeLimits
}

type Request<Response> = {
  readonly name: string
  readonly caller: Caller
  readonly message: Message
  /** Throws where the JSON is not the response. */
  readonly parse: (json: string) => Response
}

/** After this, what the last call or probe found out about the app is stale. */
const freshMs = 2_000
const probeMs = 1_000
const probePauseMs = 200
/** How much of an answer's body an error message quotes. */
const maxQuoted = 200

/** The key that AnyCable derives from the app's secret. */
export function rpcKey(secret: string): string {
  return createHmac('sha256', secret).update('rpc-cable').digest('hex')
}

type Headers = Readonly<Record<string, string>>

class HttpClient implements OpenTransport {
  readonly #target: Target
  readonly #headers: Headers
  readonly #limits: SizeLimits
  /** What the last call or probe found out, and when, in ms of `performance.now()`. */
  #reachability = { isReachable: false, at: -Infinity }
  #isProbing = false
  #isAborted = false
  #isClosed = false

  constructor(target: Target, key: string | null, limits: SizeLimits) {
    this.#target = target
    this.#limits = limits
    this.#headers = {
      'content-type': 'application/json',
      'x-anycable-meta-protov': protov,
      ...(key !== null && { authorization: `Bearer ${key}` }),
    }
  }

  async connect(call: ConnectCall, signal: Cancellation, deadline?: number): Promise<ConnectReply> {
    const message = connectionRequest(call)
    const request = { name: 'connect', caller: call, message, parse: connectionResponseOf }
    return connectReply(await this.#send(request, signal, deadline))
  }

  async command(call: CommandCall, signal: Cancellation, deadline?: number): Promise<CommandReply> {
    const message = commandMessage(call)
    const request = { name: 'command', caller: call, message, parse: commandResponseOf }
    return commandReply(await this.#send(request, signal, deadline))
  }

  async disconnect(call: DisconnectCall, signal: Cancellation, deadline?: number): Promise<void> {
    const message = disconnectRequest(call)
    const request = { name: 'disconnect', caller: call, message, parse: disconnectResponseOf }
    disconnectReply(await this.#send(request, signal, deadline))
  }

  /**
   * What the last call or probe found out. Where that is stale, starts a probe, whose result the next query returns.
   */
  isConnected(): boolean {
    const { isReachable, at } = this.#reachability
    if (!this.#isProbing && !this.#isClosed && performance.now() - at > freshMs) {
      this.#isProbing = true
      void this.#probe(performance.now() + probeMs).finally(() => (this.#isProbing = false))
    }
    return isReachable
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const deadline = performance.now() + withinMs
    for (;;) {
      const problem = await this.#probe(Math.min(deadline, performance.now() + probeMs))
      const mayPass = problem !== null && isAway(problem) && !this.#isClosed
      if (!mayPass || performance.now() + probePauseMs >= deadline) return problem
      await sleep(probePauseMs)
    }
  }

  abort(): void {
    this.#isAborted = true
    abortRequests(this.#target)
  }

  close(): Promise<void> {
    this.#isClosed = true
    closeTarget(this.#target)
    return Promise.resolve()
  }

  /** A call without a body: where path and key are right, the gem refuses it with 422 and runs nothing. */
  async #probe(deadline: number): Promise<RpcError | null> {
    try {
      const answer = await this.#post('connect', {}, '', deadline)
      if (answer.status !== 422) throw errorFor(answer)
      this.#onReachable(true)
      return null
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#onReachable(false)
      return error
    }
  }

  async #send<Response>(
    { name, caller, message, parse }: Request<Response>,
    signal: Cancellation,
    deadline = Infinity,
  ): Promise<Response> {
    if (signal.aborted || this.#isAborted) throw aborted()
    if (this.#isClosed) throw closed()
    const body = jsonOf(message)
    const bytes = Buffer.byteLength(body)
    if (bytes > this.#limits.sent) throw tooLarge(bytes, this.#limits)
    try {
      const answer = await this.#post(name, { 'x-anycable-meta-sid': caller.sid, ...caller.trace }, body, deadline)
      if (answer.status !== 200) throw errorFor(answer)
      this.#onReachable(true)
      return read(answer, parse)
    } catch (error) {
      // A call that was refused for what it is says nothing of the next one.
      if (error instanceof RpcError && mayRepeat(error)) this.#onReachable(error.code === 'exhausted')
      throw error
    }
  }

  #post(path: string, headers: Headers, body: string, deadline: number): Promise<Answer> {
    const { received: maxReceived } = this.#limits
    return post(this.#target, { path, headers: { ...this.#headers, ...headers }, body, deadline, maxReceived })
  }

  #onReachable(isReachable: boolean): void {
    this.#reachability = { isReachable, at: performance.now() }
  }
}

/** Connects with the first call. */
export function openHttp({ url, key, trust, limits }: HttpSettings): OpenTransport {
  return new HttpClient(targetFor(new URL(url), trust), key, limits)
}

function read<Response>({ body }: Answer, parse: (json: string) => Response): Response {
  try {
    return parse(body)
  } catch (cause) {
    if (cause instanceof RpcError) throw cause
    const message = `the reply is not a message of rpc.proto: ${redactFrame(body).slice(0, maxQuoted)}`
    throw new RpcError('application', 'ran', message, { cause })
  }
}

function errorFor({ status, body, location }: Answer): RpcError {
  return rpcErrorForStatus(status, location ?? body.slice(0, maxQuoted))
}
