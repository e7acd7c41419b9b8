/**
 * A small charging app: it accepts stations, authorizes cards, books transactions, and stops those that reach their
 * limit. It prints a journal to standard output, one JSON object per line, and serves its book at GET /transactions.
 *
 *   npx tsx examples/app/app.ts [--rpc_port=50051] [--web_port=3000] [--broadcast_url=http://127.0.0.1:8090/_broadcast]
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { Book, energyWh } from './book.ts'
import { channelFor, type Broadcast } from './channel.ts'
import { openRpc, type Entry } from './rpc.ts'

const { values: options } = parseArgs({
  options: {
    rpc_port: { type: 'string', default: '50051' },
    web_port: { type: 'string', default: '3000' },
    broadcast_url: { type: 'string', default: 'http://127.0.0.1:8090/_broadcast' },
  },
})

function note(entry: Entry): void {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`)
}

/** Sends a command: posts it to the bridge, which delivers it to the stations that listen to the stream. */
const broadcast: Broadcast = async (stream, command, id, payload) => {
  const body = JSON.stringify({ stream, data: JSON.stringify({ command, id, payload }) })
  try {
    const { status } = await fetch(options.broadcast_url, { method: 'POST', body })
    if (status !== 201) throw new Error(`the bridge answered ${status}`)
    note({ event: 'broadcast', stream, id, command, payload })
  } catch (error) {
    note({ event: 'broadcast_failed', stream, id, command, message: String(error) })
    throw error
  }
}

/** Serves the book, in place of a web page. */
async function openWeb(port: number, book: Book): Promise<Server> {
  const server = createServer((request, response) => {
    const isBook = request.url === '/transactions'
    const transactions = book.transactions.map(each => ({ ...each, energyWh: energyWh(each) }))
    response.writeHead(isBook ? 200 : 404, { 'content-type': 'application/json' })
    response.end(isBook ? `${JSON.stringify(transactions, null, 2)}\n` : '{}\n')
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function main(): Promise<void> {
  const book = new Book()
  const rpc = await openRpc(Number(options.rpc_port), channelFor(book, broadcast), note)
  const web = await openWeb(Number(options.web_port), book)
  const { port } = web.address() as AddressInfo
  note({ event: 'listening', rpc: `127.0.0.1:${rpc.port}`, transactions: `http://127.0.0.1:${port}/transactions` })
  const close = (): void => {
    rpc.close()
    web.close()
    web.closeAllConnections()
  }
  process.once('SIGINT', close)
  process.once('SIGTERM', close)
}

main().catch((error: unknown) => {
  process.stderr.write(`The app could not start: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
