/**
 * Plain HTTP requests on the stations' port: health checks, posts of the app, and 426 for stations that do not upgrade.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pathOf } from '../ops/http/server.ts'
import { isStationPath } from '../translate/handshake.ts'

export type RequestSettings = {
  readonly healthPath: string
  readonly readyPath: string
  readonly handshake: { readonly path: string }
}

/** The checks behind `/ready`, by name. The bridge is ready when all of them are true. */
export type Readiness = Readonly<Record<string, boolean>>

export interface Answers {
  readiness(): Readiness
  /** Whether a request is a post with the broadcast key. */
  isOfApp(request: IncomingMessage): boolean
  /** Answers a request for another path of this port; returns whether it did. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
}

/** AnyCable's own text (`server/health_handler.go`): existing health checks compare it. */
const alive = "Ah, ha, ha, ha, stayin' alive, stayin' alive."

export function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  settings: RequestSettings,
  answers: Answers,
): void {
  const target = request.url ?? '/'
  const path = pathOf(target)
  if (path === settings.healthPath) return respond(response, 200, alive)
  if (path === settings.readyPath) return respondReadiness(response, answers.readiness())
  if (answers.answer(request, response)) return
  if (!isStationPath(target, settings.handshake.path)) return respond(response, 404, 'Not found')
  response.setHeader('Upgrade', 'websocket')
  respond(response, 426, 'This is a WebSocket endpoint for charging stations')
}

/**
 * Whether an upgrade request asks for a WebSocket, perhaps among other protocols. Any other upgrade is ignored and the
 * request served as a plain one (RFC 9110 §7.8): Java's HttpClient offers `h2c` with every request.
 */
export function asksForWebSocket({ headers: { connection = '', upgrade = '' } }: IncomingMessage): boolean {
  return lists(connection, 'upgrade') && lists(upgrade, 'websocket')
}

function lists(header: string, name: string): boolean {
  return header.split(',').some(each => each.trim().toLowerCase() === name)
}

function respond(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}

function respondReadiness(response: ServerResponse, readiness: Readiness): void {
  const ready = Object.values(readiness).every(Boolean)
  const body = `${JSON.stringify({ ready, ...readiness })}\n`
  response
    .writeHead(ready ? 200 : 503, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
    .end(body)
}
