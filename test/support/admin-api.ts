/**
 * A server with scripted answers in place of the admin API of a bridge: real sockets on 127.0.0.1.
 */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { ProblemError, type ProblemName } from '../../src/admin/problems.ts'
import { runCommand } from '../../src/cli/run.ts'
import type { FakeTerminal } from './terminal.ts'

type Asked = {
  readonly method: string
  readonly url: string
  readonly token: string | undefined
  readonly body: string
}

type Answer = (asked: Asked, response: ServerResponse) => void

export interface FakeApi {
  readonly url: string
  readonly asked: readonly Asked[]
  answer: Answer
  /** Runs a command against it, with its words and flags. */
  run(terminal: FakeTerminal, ...argv: readonly string[]): Promise<number>
}

export async function openFakeApi(t: TestContext, answer: Answer): Promise<FakeApi> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const each = { method, url, token: headers.authorization, body }
      asked.push(each)
      api.answer(each, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const api: FakeApi = {
    url,
    asked,
    answer,
    run: (terminal, ...argv) => runCommand([...argv, `--admin_url=${url}`], terminal),
  }
  return api
}

/** Answers with JSON: a value, or a text as it is. */
export function json(value: unknown): Answer {
  return (_asked, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(typeof value === 'string' ? value : JSON.stringify(value))
  }
}

export function problem(name: ProblemName, detail?: string, more: object = {}): Answer {
  return (_asked, response) => {
    const { problem: body } = new ProblemError(name, detail, more)
    response.writeHead(body.status, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify(body))
  }
}

/** Answers with server-sent events, and ends the stream. */
export function events(...all: readonly (readonly [type: string, data: unknown])[]): Answer {
  return (_asked, response) => {
    response.setHeader('content-type', 'text/event-stream')
    for (const [type, data] of all) response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
    response.end()
  }
}
