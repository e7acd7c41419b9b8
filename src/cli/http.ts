/**
 * HTTP requests of the commands, to the admin API and to the app.
 *
 * Not `fetch`: it gives up on an answer after five minutes, and refuses some ports.
 */
import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'

export type Request = {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** How long to wait for the head of the answer, and later for each part of it. */
  readonly idleMs: number
}

export type Response = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly chunks: AsyncIterable<string>
}

/** Rejects when there is no answer, with the error of the system (`ECONNREFUSED` and the like), or `ETIMEDOUT`. */
export async function send({ method, url, headers, body, idleMs }: Request): Promise<Response> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(url, { method, headers, timeout: idleMs, agent: false }, resolve)
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })))
    sent.end(body ?? undefined)
  })
  message.setEncoding('utf8')
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    chunks: message as AsyncIterable<string>,
  }
}

export async function textOf({ chunks }: Response): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk
  return text
}
