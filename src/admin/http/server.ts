/**
 * The admin API over HTTP: who may come in, which route it is, what was sent, and the answer.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { listenHttp, originOf, type HttpServer } from '../../ops/http/server.ts'
import type { Log } from '../../ops/log.ts'
import type { World } from '../../session/ports.ts'
import { Console } from '../console/console.ts'
import type { Pages } from '../console/pages.ts'
import { Sessions } from '../console/sessions.ts'
import { accessBy, type Access, type AccessSettings, type Grant } from './access.ts'
import { Bodies } from './bodies.ts'
import { matchPath, readBody, readQuery, type Matched } from './input.ts'
import { Written, type Asked, type Operations } from '../operations.ts'
import { limits } from '../limits.ts'
import { ProblemError, type Problem } from '../problems.ts'
import { routes, type Route, type RouteName } from '../routes.ts'
import type { Start, Streams } from '../watch/streams.ts'

export type ServerSettings = AccessSettings & { readonly host: string; readonly port: number }

/** What serves a request, whatever the route. */
type Served = {
  readonly console: Console
  readonly access: Access
  readonly operations: Operations
  readonly streams: Streams
  readonly bodies: Bodies
  readonly log: Log
  readonly once: World['once']
}

/** What the line in the log says of a change. */
type Audit = Record<string, unknown>

/** Rejects if the port cannot be bound. */
export async function openServer(
  settings: ServerSettings,
  operations: Operations,
  streams: Streams,
  pages: Pages,
  { log, once, date }: Pick<World, 'log' | 'once' | 'date'>,
): Promise<HttpServer> {
  const ownLog = log.child({ context: 'admin' })
  const sessions = new Sessions(settings, () => date().getTime())
  const access = accessBy(settings, sessions.grantOf.bind(sessions))
  const served = {
    console: new Console(pages, access, sessions),
    access,
    operations,
    streams,
    bodies: new Bodies({ each: limits.bodyBytes, open: limits.openBodyBytes }),
    log: ownLog,
    once,
  }
  const isTrusted = ({ headers }: IncomingMessage): boolean => isLetIn(headers, access)
  const limited = { connections: limits.connections, isTrusted }
  const server = await listenHttp(settings, (request, response) => void serve(request, response, served), limited)
  const { token, readToken, host } = settings
  const condition = token === null && readToken === null ? 'no authorization' : 'authorization required'
  ownLog.info({}, `Serve the admin API at ${originOf('http', { host, port: server.port })}/v1 (${condition})`)
  return {
    port: server.port,
    close: () => {
      streams.close()
      return server.close()
    },
  }
}

function isLetIn(headers: IncomingHttpHeaders, access: Access): boolean {
  try {
    access(headers, false)
    return true
  } catch {
    return false
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, served: Served): Promise<void> {
  const audit: Audit = { remoteAddress: request.socket.remoteAddress }
  try {
    const [path, query] = splitAt(request.url ?? '/')
    if (served.console.serve(request, response, path)) return
    const { name, route, matched, grant } = admitted(request, response, path, served)
    Object.assign(audit, { by: grant, operation: name, ...matched.parameters })
    const text = route.body === null ? '' : await served.bodies.text(request)
    const body = route.body === null ? {} : readBody(text, route.body)
    const values = readQuery(query, route)
    if (route.write) audit['given'] = givenOf({ ...values, ...body })
    const asked = { parameters: matched.parameters, query: values, body, text, grant }
    await answer(response, name, asked as Asked, served)
    if (route.write) served.log.info(audit, 'an operator changed something')
  } catch (error) {
    refuse(response, error, audit, served)
  }
}

type Admitted = {
  readonly name: RouteName
  readonly route: Route
  readonly matched: Matched
  readonly grant: Grant
}

/** Throws `ProblemError`. An unauthorized client learns nothing about the routes. */
function admitted(
  { method = '', headers }: IncomingMessage,
  response: ServerResponse,
  path: string,
  { access }: Served,
): Admitted {
  access(headers, false)
  const matched = matchPath(path)
  if (matched === null) throw new ProblemError('not-found', 'GET /openapi.json lists the routes')
  const name = matched.methods.get(method)
  if (name === undefined) {
    response.setHeader('allow', [...matched.methods.keys()].join(', '))
    throw new ProblemError('method-not-allowed')
  }
  const route: Route = routes[name]
  return { name, route, matched, grant: access(headers, route.write) }
}

async function answer(response: ServerResponse, name: RouteName, asked: Asked, served: Served): Promise<void> {
  // A call may take longer than a connection may be silent.
  response.socket?.setTimeout(0)
  const operation = served.operations[name] as (asked: Asked) => object | Start | Promise<object | Start>
  const result = await operation(asked)
  if (typeof result === 'function') served.streams.open(response, result as Start)
  else write(response, 200, 'application/json', result instanceof Written ? result.json : JSON.stringify(result))
}

/**
 * Apart from the line's own fields, such as its level. Without the payload of a command, which may hold secrets, and
 * without a whole list of numbers.
 */
function givenOf(values: Readonly<Record<string, unknown>>): Audit {
  const shown = Object.entries(values).filter(([name, value]) => name !== 'payload' && value !== undefined)
  return Object.fromEntries(shown.map(([name, value]) => [name, Array.isArray(value) ? value.slice(0, 10) : value]))
}

function refuse(response: ServerResponse, error: unknown, audit: Audit, { log, once }: Served): void {
  const { problem } = error instanceof ProblemError ? error : new ProblemError('internal')
  const fields = { ...audit, status: problem.status, problem: problem.type }
  if (!(error instanceof ProblemError)) log.error({ ...fields, error }, 'a bug in the bridge ended an admin request')
  else if (problem.status === 401 || problem.status === 403)
    once(`admin ${String(audit['remoteAddress'])}`, fields, refusedText, problem.type)
  else if (isWrite(audit)) log.info(fields, 'a change asked for by an operator failed')
  if (response.headersSent) return void response.destroy()
  if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer')
  writeProblem(response, problem)
}

const refusedText = 'refused a request to the admin API: look at its token, or at who sends it'

function isWrite({ operation }: Audit): boolean {
  return typeof operation === 'string' && routes[operation as RouteName].write
}

function writeProblem(response: ServerResponse, problem: Problem): void {
  write(response, problem.status, 'application/problem+json', JSON.stringify(problem))
}

function write(response: ServerResponse, status: number, type: string, json: string): void {
  const text = `${json}\n`
  const headers = { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' }
  response.writeHead(status, headers).end(text)
}

/** The path and the query of a target in origin form or absolute form. */
function splitAt(target: string): [string, string] {
  const own = target.replace(/^https?:\/\/[^/?#]*/i, '')
  const [path = '', query = ''] = own.replace(/#.*$/s, '').split(/\?(.*)/s)
  return [path === '' ? '/' : path, query]
}
