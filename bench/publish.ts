/**
 * The app's side of broadcasts over HTTP, as the gem publishes them.
 */
import { Agent, request } from 'node:http'

export type Endpoint = { readonly url: string; readonly key: string }

export interface Publisher {
  /** Ends this process if the server does not take the broadcast. */
  publish(broadcast: { readonly stream: string; readonly data: string }): void
  /** Servers close idle connections: a publisher is for one piece of work. */
  close(): void
}

const created = 201

export function openPublisher({ url, key }: Endpoint): Publisher {
  const agent = new Agent({ keepAlive: true })
  return {
    publish: broadcast => {
      const body = Buffer.from(JSON.stringify(broadcast))
      const headers = {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'content-length': body.length,
      }
      request(url, { method: 'POST', agent, headers })
        .on('response', response => {
          if (response.statusCode !== created) throw new Error(`a broadcast got ${response.statusCode}`)
          response.resume()
        })
        .end(body)
    },
    close: () => agent.destroy(),
  }
}
