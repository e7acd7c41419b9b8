/**
 * The app's side of broadcasts over HTTP, as the gem publishes them.
 */
import { Agent, request } from 'node:http'

export type Endpoint = { readonly url: string; readonly key: string }

export interface Publisher {
  /** Does not wait for the server's answer: see `close`. */
  publish(broadcast: { readonly stream: string; readonly data: string }): void
  /**
   * Rejects if the server did not take all broadcasts. A publisher is for one piece of work: servers close idle
   * connections.
   */
  close(): Promise<void>
}

const created = 201

export function openPublisher({ url, key }: Endpoint): Publisher {
  const agent = new Agent({ keepAlive: true })
  const faults: string[] = []
  let pending = 0
  let onIdle: () => void = () => undefined
  const settle = (fault: string | null): void => {
    if (fault !== null) faults.push(fault)
    if (--pending === 0) onIdle()
  }
  return {
    publish: broadcast => {
      pending++
      const body = Buffer.from(JSON.stringify(broadcast))
      const headers = {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-length': body.length,
      }
      request(url, { method: 'POST', agent, headers })
        .on('response', response => {
          response.resume()
          settle(response.statusCode === created ? null : `status ${response.statusCode}`)
        })
        .on('error', error => settle(String(error)))
        .end(body)
    },
    close: async () => {
      if (pending > 0) await new Promise<void>(resolve => (onIdle = resolve))
      agent.destroy()
      if (faults.length > 0) throw new Error(`${faults.length} broadcasts were not taken: ${faults[0]}`)
    },
  }
}
