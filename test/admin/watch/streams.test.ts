import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { test } from 'node:test'
import { limits } from '../../../src/admin/limits.ts'
import { keepUntil } from '../../support/keep.ts'
import { openFakeAdmin } from '../support.ts'

test('a client that reads too slowly loses events, and gets their number when it reads again', async t => {
  const { world, admin } = await openFakeAdmin(t)
  const station = world.plug('CP1')
  await station.boot()
  const socket = createConnection({ host: '127.0.0.1', port: admin.port })
  keepUntil(close => t.after(close))({ close: () => socket.destroy() })
  socket.write('GET /v1/messages HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let read = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => (read += chunk))
  await once(socket, 'data')
  socket.pause()
  const sent = 40_000
  for (let at = 0; at < sent; at++) {
    world.trace?.(station.session.who, 'received', `[2,"${at}","DataTransfer",{"data":"${'x'.repeat(900)}"}]`)
    if (at % 100 === 0) await new Promise(setImmediate)
  }
  socket.resume()
  while (!read.includes('event: lost')) await once(socket, 'data')
  const [, lost = ''] = /event: lost\ndata: \{"count":(\d+)\}/.exec(read) ?? []
  assert.equal(read.split('event: message').length - 1 + Number(lost), sent)
  assert.ok(Number(lost) > 0)
})

test('streams beyond the limit are refused, and a closed one makes room', async t => {
  const { client } = await openFakeAdmin(t)
  const open = []
  for (let at = 0; at < limits.streams; at++) open.push(await client(null).stream('/v1/events'))
  const { status, body } = await client(null).get('/v1/events')
  assert.deepEqual([status, body['type']], [503, '/problems/too-many-requests'])
  open[0]?.close()
  let isOpen = false
  while (!isOpen) {
    const stats = await client(null).get('/v1/stats')
    isOpen = (stats.body['watching'] as { readonly streams: number }).streams < limits.streams
  }
  ;(await client(null).stream('/v1/events')).close()
  for (const stream of open) stream.close()
})
