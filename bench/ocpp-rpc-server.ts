/**
 * For comparison: `ocpp-rpc`'s server, which answers every call itself. With the argument `strict` it validates each
 * call and answer.
 */
import type { AddressInfo } from 'node:net'
import { RPCServer } from 'ocpp-rpc'
import { announce } from './children.ts'

type Call = { readonly method: string }
type Client = { handle(answer: (call: Call) => object): void }

const server = new RPCServer({ protocols: ['ocpp1.6'], strictMode: process.argv[2] === 'strict' })
server.on('client', (client: Client) => client.handle(({ method }) => answerFor(method)))
const listener = await server.listen(0, '127.0.0.1')
announce((listener.address() as AddressInfo).port)

function answerFor(method: string): object {
  if (method === 'BootNotification') return { status: 'Accepted', currentTime: new Date().toISOString(), interval: 300 }
  return method === 'Heartbeat' ? { currentTime: new Date().toISOString() } : {}
}
