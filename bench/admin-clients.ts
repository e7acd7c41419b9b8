/**
 * Clients of the admin API at their worst: streams of all messages that are not read, and a list of all stations in a
 * loop.
 */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { serveTasks } from './children.ts'

export type Task = { readonly kind: 'start'; readonly port: number; readonly tails: number } | { readonly kind: 'stop' }

let tails: Socket[] = []
let listing = new AbortController()
let listed = Promise.resolve(0)

/** `start` resolves once all streams are open; `stop` with the number of pages of 500 stations that came. */
serveTasks(async (task: Task): Promise<number> => {
  if (task.kind === 'start') {
    tails = await Promise.all(Array.from({ length: task.tails }, () => openUnread(task.port)))
    listing = new AbortController()
    listed = list(task.port, listing.signal)
    return 0
  }
  listing.abort()
  for (const tail of tails) tail.destroy()
  return listed
})

async function openUnread(port: number): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port })
  socket.write('GET /v1/messages HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'data')
  return socket.pause()
}

async function list(port: number, signal: AbortSignal): Promise<number> {
  let pages = 0
  for (; !signal.aborted; pages++) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/stations?limit=500&sort=-lastMessageAt`)
    if (!response.ok) throw new Error(`the list answered ${response.status}`)
    await response.arrayBuffer()
  }
  return pages
}
