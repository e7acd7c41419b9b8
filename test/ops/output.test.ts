import assert from 'node:assert/strict'
import { mock, test, type TestContext } from 'node:test'
import { Output } from '../../src/ops/output.ts'

/** A pipe that has room for so many bytes. */
class Pipe {
  room = Infinity
  text = ''
  writes = 0
  readonly write = (_fd: number, chunks: readonly Uint8Array[]): number => {
    this.writes++
    if (this.room === 0) throw Object.assign(new Error('EAGAIN'), { code: 'EAGAIN' })
    const bytes = Buffer.concat(chunks).subarray(0, this.room)
    this.room -= bytes.length
    this.text += bytes.toString('latin1')
    return bytes.length
  }
}

function opened(t: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  const pipe = new Pipe()
  const caughtUp: number[] = []
  let counted = 0
  const output = new Output(7, dropped => caughtUp.push(dropped), pipe.write)
  output.countDrops(() => counted++)
  return { pipe, output, caughtUp, counted: () => counted }
}

test('a line is written at once while the reader keeps up', t => {
  const { pipe, output } = opened(t)
  output.write('one\n')
  assert.equal(pipe.text, 'one\n')
  output.write('two\n')
  assert.equal(pipe.text, 'one\ntwo\n')
})

test('lines wait in their order, whole, when the pipe is full, and are written once it has room', t => {
  const { pipe, output, caughtUp, counted } = opened(t)
  pipe.room = 6
  for (const line of ['one\n', 'two\n', 'three\n']) output.write(line)
  assert.equal(pipe.text, 'one\ntw', 'a part of a line')
  pipe.room = 3
  mock.timers.tick(50)
  assert.equal(pipe.text, 'one\ntwo\nt')
  pipe.room = Infinity
  mock.timers.tick(50)
  assert.equal(pipe.text, 'one\ntwo\nthree\n')
  assert.deepEqual([caughtUp, counted()], [[], 0], 'nothing was dropped')
})

test('a full pipe is tried again by the clock, not for each line', t => {
  const { pipe, output } = opened(t)
  pipe.room = 0
  for (let n = 0; n < 1_000; n++) output.write('line\n')
  assert.equal(pipe.writes, 1)
  mock.timers.tick(50)
  assert.equal(pipe.writes, 2)
})

test('lines beyond 8 MiB are dropped and counted, and their number is told once the reader has caught up', t => {
  const { pipe, output, caughtUp, counted } = opened(t)
  pipe.room = 0
  const line = `${'x'.repeat(1024 * 1024 - 1)}\n`
  for (let n = 0; n < 10; n++) output.write(line)
  assert.equal(counted(), 2)
  assert.deepEqual(caughtUp, [], 'not yet')
  pipe.room = Infinity
  mock.timers.tick(50)
  assert.equal(pipe.text.length, 8 * 1024 * 1024)
  assert.deepEqual(caughtUp, [2])
  output.write('next\n')
  assert.deepEqual(caughtUp, [2], 'once')
})

test('the log is full from the first line that is dropped until its reader reads on', t => {
  const { pipe, output, caughtUp, counted } = opened(t)
  pipe.room = 0
  const line = `${'x'.repeat(1024 * 1024 - 1)}\n`
  for (let n = 0; n < 8; n++) output.write(line)
  assert.equal(output.isFull, false)
  output.write(line)
  assert.equal(output.isFull, true)
  output.drop()
  assert.equal(counted(), 2)
  mock.timers.tick(50)
  assert.equal(output.isFull, true, 'nothing is read')
  pipe.room = 1
  mock.timers.tick(50)
  assert.equal(output.isFull, false)
  pipe.room = Infinity
  mock.timers.tick(50)
  assert.deepEqual(caughtUp, [2])
})

test('a line that is longer than all that may wait is dropped, and the next one is written', t => {
  const { pipe, output, counted } = opened(t)
  output.write(`${'x'.repeat(9 * 1024 * 1024)}\n`)
  assert.deepEqual([output.isFull, counted()], [false, 1])
  output.write('next\n')
  assert.equal(pipe.text, 'next\n')
  pipe.room = 0
  output.write('waits\n')
  output.write(`${'x'.repeat(9 * 1024 * 1024)}\n`)
  assert.deepEqual([output.isFull, counted()], [false, 2], 'there is room for shorter ones')
})

test('any number of lines takes few calls to the system', t => {
  const { pipe, output } = opened(t)
  pipe.room = 0
  for (let n = 0; n < 10_000; n++) output.write('line\n')
  pipe.room = Infinity
  mock.timers.tick(50)
  assert.equal(pipe.text.length, 50_000)
  assert.ok(pipe.writes < 15, `${pipe.writes}`)
})

test('the flush at the end waits for a slow reader, and not for one that does not read', t => {
  const { pipe, output } = opened(t)
  pipe.room = 0
  output.write('last\n')
  output.flush()
  assert.equal(pipe.text, '')
  let tries = 0
  const { write } = pipe
  const slow = new Output(
    7,
    () => null,
    (fd, chunks) => {
      if (++tries < 4) throw new Error('EAGAIN')
      return write(fd, chunks)
    },
  )
  pipe.room = 3
  slow.write('last\n')
  pipe.room = Infinity
  slow.flush()
  assert.equal(pipe.text, 'last\n')
})
