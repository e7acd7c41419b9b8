/**
 * The app's side of broadcasts over HTTP, as the gem publishes them.
 */
import { Agent, request } from 'node:http'

export type Endpoint = { readonly url: string; readonly key: string }

const agent = new Agent({ keepAlive: true })
const created = 201

/** Ends this process if the server takes no broadcasts. */
export function publish({ url, key }: Endpoint, broadcast: { readonly stream: string; readonly data: string }): void {
  const body = JSON.stringify(broadcast)
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  request(url, { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } })
    .on('response', response => {
      if (response.statusCode !== created) throw new Error(`a broadcast got ${response.statusCode}`)
      response.resume()
    })
    .end(body)
}
