/**
 * The admin API as functions: requests by the table of routes, failures as one line that names the fix.
 */
import { limits } from '../../admin/limits.ts'
import type { Problem, ProblemName } from '../../admin/problems.ts'
import { routes, type AnswerOf, type RouteName } from '../../admin/routes.ts'
import { isObject, parseJson } from '../../ocpp/json.ts'
import { CommandError } from '../command.ts'
import { eventsIn, type ServerEvent } from './events.ts'
import { send, textOf, type Response } from '../http.ts'

/** Where the API is, and what opens it. */
export type Target = { readonly url: string; readonly token: string | null }

type Asked = {
  /** The parameter in the path of the route. */
  readonly in?: string
  readonly query?: Readonly<Record<string, string | number | boolean | null>>
  /** JSON text. */
  readonly body?: string
  readonly idleMs?: number
}

/** An answer, and its own text: numbers of a station in it have digits that a JavaScript number loses. */
export type Answer<Name extends RouteName> = { readonly value: AnswerOf<Name>; readonly text: string }

const usualIdleMs = 30_000
/** In a URL, dots are steps through its path, also percent-encoded. */
const cannotBeSegment: ReadonlySet<string> = new Set(['', '.', '..'])
/** A stream sends a comment each `heartbeatSeconds`. */
const streamIdleMs = 3 * limits.heartbeatSeconds * 1_000

/** A problem that the API answered with. Callers branch on `problem`. */
export class ProblemError extends CommandError {
  readonly problem: ProblemName
  /** The whole answer. */
  readonly body: Problem
  /** The same as text. */
  readonly text: string

  constructor(problem: ProblemName, body: Problem, text: string, message: string) {
    super(message)
    this.problem = problem
    this.body = body
    this.text = text
  }
}

export class AdminClient {
  readonly #target: Target

  constructor(target: Target) {
    this.#target = target
  }

  /** Without a slash at its end. */
  get url(): string {
    return this.#target.url.replace(/\/$/, '')
  }

  /** Rejects with `CommandError`: with `ProblemError` for a problem that the API names. */
  async ask<Name extends RouteName>(name: Name, asked: Asked = {}): Promise<Answer<Name>> {
    const response = await this.#send(name, asked)
    const text = await this.#textOf(response)
    if (response.status >= 300) throw this.#failure(response.status, text)
    const value = parseJson(text)
    if (!isObject(value)) throw this.#stranger(response.status)
    // The server and this program share the table of answers.
    return { value: value as AnswerOf<Name>, text }
  }

  /** Ends when the bridge ends the stream. */
  async *stream(name: RouteName, query: NonNullable<Asked['query']>): AsyncGenerator<ServerEvent> {
    const response = await this.#send(name, { query, idleMs: streamIdleMs })
    if (response.status >= 300) throw this.#failure(response.status, await this.#textOf(response))
    if (response.headers['content-type']?.startsWith('text/event-stream') !== true)
      throw this.#stranger(response.status)
    try {
      yield* eventsIn(response.chunks)
    } catch (error) {
      throw this.#brokenOff(error)
    }
  }

  async #send(
    name: RouteName,
    { in: parameter = '', query = {}, body, idleMs = usualIdleMs }: Asked,
  ): Promise<Response> {
    const { method, path } = routes[name]
    if (path.includes('{') && cannotBeSegment.has(parameter))
      throw new CommandError(`${JSON.stringify(parameter)} cannot be asked for: it is not a name in the path of a URL`)
    const url = new URL(this.url + path.replace(/\{\w+\}/, encodeURIComponent(parameter)))
    for (const [key, value] of Object.entries(query)) {
      if (value !== null) url.searchParams.set(key, String(value))
    }
    const { token } = this.#target
    const headers = {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    try {
      return await send({ method, url, headers, body: body ?? null, idleMs })
    } catch (error) {
      throw new CommandError(`${this.url}: ${reasonOf(error)}`, { cause: error })
    }
  }

  async #textOf(response: Response): Promise<string> {
    try {
      return await textOf(response)
    } catch (error) {
      throw this.#brokenOff(error)
    }
  }

  #brokenOff(error: unknown): CommandError {
    const { url } = this.#target
    return new CommandError(`${url}: the connection broke: the bridge ended, or the network failed`, { cause: error })
  }

  #failure(status: number, text: string): CommandError {
    const body = parseJson(text)
    const [, name] = isObject(body) ? (/^\/problems\/([\w-]+)$/.exec(String(body['type'])) ?? []) : []
    if (name === undefined) return this.#stranger(status)
    const problem = body as Problem
    return new ProblemError(name as ProblemName, problem, text, inWords(name as ProblemName, problem, this.#target))
  }

  #stranger(status: number): CommandError {
    const { url } = this.#target
    return new CommandError(
      `${url} is not the admin API of ocpp-cable (HTTP ${status}): set --admin_url to its admin_port`,
    )
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: start the bridge with --admin_port=8091, or correct --admin_url',
  ENOTFOUND: 'there is no such host: correct --admin_url',
  EAI_AGAIN: 'the host name cannot be resolved now: look at DNS, or give an address in --admin_url',
  ECONNRESET: 'the connection was closed: does this port speak TLS? Then --admin_url starts with https://',
  EPROTO: 'this port speaks no TLS: --admin_url starts with http://',
  ETIMEDOUT: 'no answer in time: is there a firewall between, or is the bridge overloaded?',
}

function reasonOf(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return reasons[code] ?? (message === '' ? code : message)
}

const setToken = 'set --admin_token or ANYCABLE_ADMIN_TOKEN to admin_token of the bridge'

/** What the operator does about a problem, for those that a title does not tell. */
const fixes: Partial<Record<ProblemName, (target: Target) => string>> = {
  unauthorized: ({ url, token }) =>
    `${url}: ${token === null ? 'a token is needed' : 'the token is wrong'}: ${setToken}`,
  'read-only': ({ url }) => `${url}: admin_read_token may only read: ${setToken}`,
  'unknown-station': () => 'the bridge does not know this station: see ocpp-cable stations',
  'no-outbox': () => 'the bridge has no outbox: start it with --state_dir=DIRECTORY',
}

function inWords(name: ProblemName, { title, detail }: Problem, target: Target): string {
  return fixes[name]?.(target) ?? (detail === undefined ? title : `${title}: ${detail}`)
}
