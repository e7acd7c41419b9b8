/** The bookkeeping alone; what it means for requests is in `connection.test.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Output } from '../../src/http2/output.ts'
import { Streams, type Stream } from '../../src/http2/streams.ts'
import { Request } from './server.ts'

const wire = { write: () => true, end: () => undefined, destroy: () => undefined }

function add(streams: Streams, body = ''): Stream {
  const id = streams.nextId
  streams.nextId += 2
  const stream = {
    id,
    exchange: new Request(body),
    sentBytes: 0,
    sendWindow: 10,
    receiveWindow: 10,
    receivedBytes: 0,
    contentLength: null,
  }
  streams.byId.set(id, stream)
  return stream
}

test('a stream that was reset is known until the server ends it', () => {
  const streams = new Streams(new Output(wire), 1)
  const [first, second] = [add(streams), add(streams)]
  streams.reset(first, 8)
  streams.reset(second, 8)
  assert.equal(streams.byId.size, 0)
  streams.checkCancelled(1, false)
  streams.checkCancelled(1, true)
  assert.throws(() => streams.checkCancelled(1, true), /after the end of stream 1/)
  assert.equal(streams.onReset(3), undefined)
  assert.throws(() => streams.checkCancelled(3, true), /after the end of stream 3/)
})

test('no more than 10,000 streams that were reset are known', () => {
  const streams = new Streams(new Output(wire), 1)
  for (let count = 0; count <= 10_000; count++) streams.reset(add(streams), 8)
  assert.throws(() => streams.checkCancelled(1, true), /after the end of stream 1/)
  streams.checkCancelled(3, true)
})

test('onReset has the stream that was open, and throws for one that never was', () => {
  const streams = new Streams(new Output(wire), 1)
  const stream = add(streams)
  assert.equal(streams.onReset(1), stream)
  assert.throws(() => streams.onReset(3), /never opened/)
  assert.throws(() => streams.onReset(2), /never opened/)
})

test('takeRefused, takeOpen and takeWaiting remove what they return', () => {
  const streams = new Streams(new Output(wire), 1)
  const [first, second, third, fourth] = [add(streams), add(streams), add(streams), add(streams)]
  third.exchange.status = 200
  assert.deepEqual(streams.takeRefused(1), [second, fourth])
  assert.deepEqual(streams.takeOpen(), [first, third])
  const waiting = new Request()
  streams.waiting.add(waiting)
  assert.deepEqual(streams.takeWaiting(), [waiting])
  assert.deepEqual([streams.byId.size, streams.waiting.size], [0, 0])
})

test('sendBodies spends the windows of streams and connection', () => {
  const streams = new Streams(new Output(wire), 1)
  streams.sendWindow = 13
  const [first, second] = [add(streams, 'x'.repeat(20)), add(streams, 'y'.repeat(20))]
  streams.sendBodies()
  assert.deepEqual([first.sentBytes, second.sentBytes, streams.sendWindow], [10, 3, 0])
  streams.widenSendWindow(0, 100)
  streams.widenSendWindow(1, 5)
  streams.sendBodies()
  assert.deepEqual([first.sentBytes, second.sentBytes, streams.sendWindow], [15, 10, 88])
  streams.apply({ windowBytes: 65_535 + 3 })
  streams.sendBodies()
  assert.deepEqual([first.sentBytes, second.sentBytes], [18, 13])
})
