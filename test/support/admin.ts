/**
 * A client of the admin API, as an operator's script has one.
 */
import assert from 'node:assert/strict'

export type AdminAnswer = {
  readonly status: number
  readonly headers: Headers
  /** The text of the body. */
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

export type AdminEvent = { readonly event: string; readonly data: Readonly<Record<string, unknown>> }

export interface AdminStream {
  /** All events so far. */
  readonly events: readonly AdminEvent[]
  /** The first event that fits, whether it has come or not; rejects after a while. */
  next(wants: (event: AdminEvent) => boolean): Promise<AdminEvent>
  close(): void
}

const eventWithinMs = 20_000

/** @param token `null`: without one */
export function adminClient(url: string, token: string | null) {
  const authorization: Readonly<Record<string, string>> = token === null ? {} : { authorization: `Bearer ${token}` }

  const ask = async (
    method: string,
    path: string,
    body?: object | string,
    headers: object = {},
  ): Promise<AdminAnswer> => {
    const isJson = body !== undefined
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...(isJson && { 'content-type': 'application/json' }), ...headers },
      ...(isJson && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: JSON.parse(text) as AdminAnswer['body'] }
  }

  return {
    ask,
    get: (path: string) => ask('GET', path),
    /** Resolves when the stream is open. */
    stream: async (path: string): Promise<AdminStream> => {
      const ending = new AbortController()
      const response = await fetch(url + path, { headers: authorization, signal: ending.signal })
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('content-type'), 'text/event-stream')
      const events: AdminEvent[] = []
      const waiting = new Set<() => void>()
      void readEvents(response, event => {
        events.push(event)
        for (const look of waiting) look()
      }).catch(() => undefined)
      const next = (wants: (event: AdminEvent) => boolean): Promise<AdminEvent> =>
        new Promise((resolve, reject) => {
          const end = (): void => {
            clearTimeout(timer)
            waiting.delete(look)
          }
          const look = (): void => {
            const found = events.find(wants)
            if (found === undefined) return
            end()
            resolve(found)
          }
          const timer = setTimeout(() => {
            end()
            reject(new Error(`no such event in ${eventWithinMs} ms: ${JSON.stringify(events)}`))
          }, eventWithinMs)
          waiting.add(look)
          look()
        })
      return { events, next, close: () => ending.abort() }
    },
  }
}

export type AdminClient = ReturnType<typeof adminClient>

async function readEvents(response: Response, take: (event: AdminEvent) => void): Promise<void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    const parts = text.split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(part) ?? []
      if (event !== undefined && data !== undefined) take({ event, data: JSON.parse(data) as AdminEvent['data'] })
    }
  }
}
