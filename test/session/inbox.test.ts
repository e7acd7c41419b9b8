import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from '../../src/session/inbox.ts'
import { quiet } from '../support/fakes.ts'

/** What an inbox needs of a station. */
function stationOf(socket: { pause(): void; resume(): void }) {
  return { socket, after: (ms: number, run: () => void) => setTimeout(run, ms) }
}

/** An inbox that serves each entry until the test finishes it, and the calls that its gate has got. */
function newInbox(limits: { entries?: number; bytes?: number } = {}) {
  const begun: string[] = []
  const gate: string[] = []
  const running: ((isAccepted: boolean) => void)[] = []
  const inbox = new Inbox<string>(
    {
      serve: entry => new Promise(resolve => (begun.push(entry), running.push(resolve))),
      onServed: () => undefined,
      onFault: assert.ifError,
    },
    stationOf({ pause: () => gate.push('pause'), resume: () => gate.push('resume') }),
    { entries: 3, bytes: 100, ...limits },
  )
  const finish = async (count = 1): Promise<void> => {
    for (let left = count; left > 0; left--) {
      running.shift()?.(true)
      await quiet()
    }
  }
  return { inbox, begun, gate, finish }
}

test('entries are served one at a time, in the order they were pushed', async () => {
  const { inbox, begun, finish } = newInbox()
  for (const entry of ['a', 'b', 'c']) inbox.push(entry, 1)
  await quiet()
  assert.deepEqual(begun, ['a'])
  await finish()
  assert.deepEqual(begun, ['a', 'b'])
  await finish(2)
  assert.deepEqual(begun, ['a', 'b', 'c'])
})

test('the gate pauses once when the inbox is full, and resumes once when half of it is free', async () => {
  const { inbox, gate, finish } = newInbox()
  for (const entry of ['runs', '1', '2']) inbox.push(entry, 1)
  assert.deepEqual(gate, [])
  inbox.push('3', 1)
  inbox.push('over the limit: it was on the wire', 1)
  assert.deepEqual(gate, ['pause'])
  await finish()
  assert.deepEqual(gate, ['pause'], 'as full as its limit')
  await finish(4)
  assert.deepEqual(gate, ['pause', 'resume'])
})

test('slow pauses the gate for its time, and a message that is served meanwhile does not resume it', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { inbox, gate, finish } = newInbox()
  inbox.slow(1_000)
  inbox.push('on the wire', 1)
  await finish()
  t.mock.timers.tick(999)
  assert.deepEqual(gate, ['pause'])
  t.mock.timers.tick(1)
  assert.deepEqual(gate, ['pause', 'resume'])
})

test('the gate stays paused after slow when the inbox is full', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { inbox, gate, finish } = newInbox()
  for (const entry of ['runs', '1', '2', '3']) inbox.push(entry, 1)
  inbox.slow(1_000)
  t.mock.timers.tick(1_000)
  assert.ok(!gate.includes('resume'))
  await finish(3)
  assert.equal(gate.at(-1), 'resume')
})

test('take ends slow: nothing resumes the gate afterwards', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { inbox, gate } = newInbox()
  inbox.slow(1_000)
  inbox.take()
  t.mock.timers.tick(1_000)
  assert.deepEqual(gate, ['pause'])
})

test('the gate pauses when the waiting bytes reach the limit', async () => {
  const { inbox, gate, finish } = newInbox()
  inbox.push('runs', 1)
  inbox.push('half', 50)
  assert.deepEqual(gate, [])
  inbox.push('half', 50)
  assert.deepEqual(gate, ['pause'])
  await finish(2)
  assert.deepEqual(gate, ['pause'], 'half of the bytes still wait')
  await finish(1)
  assert.deepEqual(gate, ['pause', 'resume'])
})

test('entries that the station has not sent keep their order, and do not fill the inbox', async () => {
  const { inbox, begun, gate, finish } = newInbox()
  for (const entry of ['runs', 'ours 1', 'ours 2', 'ours 3', 'ours 4']) inbox.push(entry, null)
  for (const entry of ['its 1', 'its 2']) inbox.push(entry, 1)
  assert.deepEqual(gate, [])
  inbox.push('its 3', 1)
  assert.deepEqual(gate, ['pause'])
  await finish(5)
  assert.deepEqual(gate, ['pause'], 'entries of the bridge free no room')
  await finish(3)
  assert.deepEqual(gate, ['pause', 'resume'])
  assert.deepEqual(begun.slice(4), ['ours 4', 'its 1', 'its 2', 'its 3'])
})

test('an entry is served even when the inbox is over its limits', async () => {
  const { inbox, begun, finish } = newInbox()
  for (let entry = 0; entry < 20; entry++) inbox.push(String(entry), 50)
  await finish(20)
  assert.equal(begun.length, 20)
  await inbox.idle()
})

test('take returns the waiting entries in order, and leaves the entry being served', async () => {
  const { inbox, begun, finish } = newInbox({ entries: 10 })
  for (const entry of ['runs', 'a', 'b']) inbox.push(entry, 1)
  assert.deepEqual(inbox.take(), ['a', 'b'])
  await finish(1)
  await inbox.idle()
  assert.deepEqual(begun, ['runs'])
})

test('entries of the station are served first while stationFirst is set, and each kind keeps its order', async () => {
  const begun: string[] = []
  const station = stationOf({ pause: () => undefined, resume: () => undefined })
  const serve = (entry: string): Promise<boolean> => {
    begun.push(entry)
    inbox.stationFirst = entry !== 'call 2'
    return Promise.resolve(true)
  }
  const server = { serve, onServed: () => undefined, onFault: assert.ifError }
  const inbox: Inbox<string> = new Inbox(server, station, { entries: 10, bytes: 10 })
  for (const entry of ['outcome 0', 'outcome 1', 'call 1', 'outcome 2', 'call 2', 'outcome 3', 'call 3'])
    inbox.push(entry, entry.startsWith('call') ? 1 : null)
  await inbox.idle()
  assert.deepEqual(begun, ['outcome 0', 'call 1', 'call 2', 'outcome 1', 'call 3', 'outcome 2', 'outcome 3'])
})

test('the end of an entry is reported before the next one is served, a failure as well', async () => {
  const events: unknown[] = []
  const failure = new Error('a bug')
  const served = new Map<string, Promise<boolean> | null>([
    ['accepted', Promise.resolve(true)],
    ['at once', null],
    ['rejected', Promise.resolve(false)],
    ['failing', Promise.reject(failure)],
  ])
  const server = {
    serve: (entry: string) => (events.push(entry), served.get(entry) ?? null),
    onServed: (entry: string, isAccepted: boolean) => void events.push([entry, isAccepted]),
    onFault: (error: unknown) => void events.push(error),
  }
  const inbox = new Inbox<string>(server, stationOf({ pause: () => undefined, resume: () => undefined }), {
    entries: 10,
    bytes: 10,
  })
  for (const entry of served.keys()) inbox.push(entry, 1)
  await inbox.idle()
  assert.deepEqual(events, [
    'accepted',
    ['accepted', true],
    'at once',
    'rejected',
    ['rejected', false],
    'failing',
    failure,
  ])
})

test('idle waits for the entry being served, for waiting entries and for entries pushed meanwhile', async () => {
  const { inbox, finish } = newInbox()
  await inbox.idle()
  let isIdle = false
  inbox.push('a', 1)
  void inbox.idle().then(() => (isIdle = true))
  inbox.push('b', 1)
  await finish()
  assert.equal(isIdle, false)
  inbox.push('c', 1)
  await finish(2)
  assert.equal(isIdle, true)
})

test('an inbox that was idle serves new entries', async () => {
  const { inbox, begun, finish } = newInbox()
  for (const entry of ['a', 'b']) {
    inbox.push(entry, 1)
    await finish()
    await inbox.idle()
  }
  assert.deepEqual(begun, ['a', 'b'])
})
