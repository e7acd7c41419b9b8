/**
 * The app over HTTP, as the gem's `AnyCable::HTTRPC::Server` takes it: a POST for each call.
 *
 * Source: AnyCable `rpc/http.go`, `etc/rpc-openapi.yml`.
 */
import { createHmac } from 'node:crypto'
import {
  RpcError,
  type CommandCall,
  type CommandReply,
  type ConnectCall,
  type ConnectReply,
  type DisconnectCall,
} from '../cable/rpc.ts'
import { closeTarget, post, targetOf, type Answer, type Target } from './http-post.ts'
import { rpcErrorForStatus } from './http-status.ts'
import { commandResponseOf, connectionResponseOf, disconnectResponseOf, jsonOf } from './json.ts'
import {
  commandMessage,
  commandReply,
  connectionRequest,
  connectReply,
  disconnectReply,
  disconnectRequest,
  protov,
  type Message,
} from './messages.ts'
import { closed, refusalOf, type OpenTransport, type SizeLimits } from './transport.ts'
import type { Trust } from './trust.ts'

export type HttpSettings = {
  /** `http://` or `https://`; the calls' names are put after its path. */
  readonly url: string
  /** Shown to the app as `Authorization: Bearer …`; `null`: nothing is. */
  readonly key: string | null
  readonly trust: Trust
  readonly limits: SizeLimits
}

/** How long what was last learned of the app counts, before it is asked again. */
const newsMs = 2_000
const probeMs = 1_000
const probePauseMs = 200
const maxSaid = 200

/** The key that AnyCable derives from the app's secret. */
export function rpcKey(secret: string): string {
  return createHmac('sha256', secret).update('rpc-cable').digest('hex')
}

type Headers = Readonly<Record<string, string>>

class Http implements OpenTransport {
  readonly #target: Target
  readonly #headers: Headers
  readonly #limits: SizeLimits
  /** The last that was learned of the app, and when, as `Date` counts. */
  #news = { isReachable: false, at: -Infinity }
  #isProbing = false
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

  async connect(call: ConnectCall, signal: AbortSignal, deadline?: number): Promise<ConnectReply> {
    const asked = { sid: call.sid, message: connectionRequest(call), parse: connectionResponseOf }
    return connectReply(await this.#ask('connect', asked, signal, deadline))
  }

  async command(call: CommandCall, signal: AbortSignal, deadline?: number): Promise<CommandReply> {
    const asked = { sid: call.sid, message: commandMessage(call), parse: commandResponseOf }
    return commandReply(await this.#ask('command', asked, signal, deadline))
  }

  async disconnect(call: DisconnectCall, signal: AbortSignal, deadline?: number): Promise<void> {
    const asked = { sid: call.sid, message: disconnectRequest(call), parse: disconnectResponseOf }
    disconnectReply(await this.#ask('disconnect', asked, signal, deadline))
  }

  /** What the last call or probe has found; where that is old, the app is asked again, and the next answer is new. */
  isConnected(): boolean {
    if (!this.#isProbing && !this.#isClosed && Date.now() - this.#news.at > newsMs) {
      this.#isProbing = true
      void this.#probe(Date.now() + probeMs).finally(() => (this.#isProbing = false))
    }
    return this.#news.isReachable
  }

  async problem(withinMs: number): Promise<RpcError | null> {
    const until = Date.now() + withinMs
    for (;;) {
      const problem = await this.#probe(Math.min(until, Date.now() + probeMs))
      const mayPass = problem !== null && problem.code !== 'application' && !this.#isClosed
      if (!mayPass || Date.now() + probePauseMs >= until) return problem
      await new Promise(resolve => setTimeout(resolve, probePauseMs))
    }
  }

  close(): Promise<void> {
    this.#isClosed = true
    closeTarget(this.#target)
    return Promise.resolve()
  }

  /** A call without a body: the gem refuses it with 422, where path and key are right, and runs nothing. */
  async #probe(deadline: number): Promise<RpcError | null> {
    try {
      const answer = await this.#post('connect', {}, '', deadline)
      if (answer.status !== 422) throw errorOf(answer)
      this.#learn(true)
      return null
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.#learn(false)
      return error
    }
  }

  async #ask<Response>(
    name: string,
    { sid, message, parse }: { sid: string; message: Message; parse: (json: string) => Response },
    signal: AbortSignal,
    deadline = Infinity,
  ): Promise<Response> {
    const body = jsonOf(message)
    const refusal = refusalOf(Buffer.byteLength(body), signal, this.#limits) ?? (this.#isClosed ? closed() : null)
    if (refusal !== null) throw refusal
    try {
      const answer = await this.#post(name, { 'x-anycable-meta-sid': sid }, body, deadline)
      if (answer.status !== 200) throw errorOf(answer)
      this.#learn(true)
      return read(answer, parse)
    } catch (error) {
      if (error instanceof RpcError && error.outcome === 'notRun') this.#learn(error.code === 'exhausted')
      throw error
    }
  }

  #post(path: string, headers: Headers, body: string, deadline: number): Promise<Answer> {
    const { received } = this.#limits
    return post(this.#target, {
      path,
      headers: { ...this.#headers, ...headers },
      body,
      deadline,
      maxReceived: received,
    })
  }

  #learn(isReachable: boolean): void {
    this.#news = { isReachable, at: Date.now() }
  }
}

/** Connects when it is first asked anything. */
export function openHttp({ url, key, trust, limits }: HttpSettings): OpenTransport {
  return new Http(targetOf(new URL(url), trust), key, limits)
}

function read<Response>({ body }: Answer, parse: (json: string) => Response): Response {
  try {
    return parse(body)
  } catch (cause) {
    throw new RpcError('application', 'ran', `the reply is no message of rpc.proto: ${body.slice(0, maxSaid)}`, {
      cause,
    })
  }
}

function errorOf({ status, body, location }: Answer): RpcError {
  return rpcErrorForStatus(status, location ?? body.slice(0, maxSaid))
}
