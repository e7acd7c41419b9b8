import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from '../../src/session/inbox.ts'
import { quiet } from '../support/fakes.ts'

/** An inbox whose entries run until they are let go, behind a gate that keeps what is done to it. */
function newInbox(limits: { entries?: number; bytes?: number } = {}) {
  const begun: string[] = []
  const gate: string[] = []
  const running: (() => void)[] = []
  const inbox = new Inbox<string>(
    entry => new Promise(resolve => (begun.push(entry), running.push(resolve))),
    { pause: () => gate.push('pause'), resume: () => gate.push('resume') },
    { entries: 3, bytes: 100, ...limits },
  )
  const letGo = async (count = 1): Promise<void> => {
    for (let left = count; left > 0; left--) {
      running.shift()?.()
      await quiet()
    }
  }
  return { inbox, begun, gate, letGo }
}

test('entries run one at a time, in the order they came, two of one tick too', async () => {
  const { inbox, begun, letGo } = newInbox()
  for (const entry of ['a', 'b', 'c']) inbox.push(entry, 1)
  await quiet()
  assert.deepEqual(begun, ['a'])
  await letGo()
  assert.deepEqual(begun, ['a', 'b'])
  await letGo(2)
  assert.deepEqual(begun, ['a', 'b', 'c'])
})

test('the entry that fills it pauses the gate once; room again resumes it once', async () => {
  const { inbox, gate, letGo } = newInbox()
  for (const entry of ['runs', '1', '2']) inbox.push(entry, 1)
  assert.deepEqual(gate, [])
  inbox.push('3', 1)
  inbox.push('over the limit, for it was on its way', 1)
  assert.deepEqual(gate, ['pause'])
  await letGo()
  assert.deepEqual(gate, ['pause'], 'as full as the limit')
  await letGo(4)
  assert.deepEqual(gate, ['pause', 'resume'])
})

test('bytes fill it as well as entries do', async () => {
  const { inbox, gate, letGo } = newInbox()
  inbox.push('runs', 1)
  inbox.push('half', 50)
  assert.deepEqual(gate, [])
  inbox.push('half', 50)
  assert.deepEqual(gate, ['pause'])
  await letGo(2)
  assert.deepEqual(gate, ['pause'], 'half of it still waits')
  await letGo(1)
  assert.deepEqual(gate, ['pause', 'resume'])
})

test('what the station has not sent takes its turn, and does not fill it', async () => {
  const { inbox, begun, gate, letGo } = newInbox()
  for (const entry of ['runs', 'ours 1', 'ours 2', 'ours 3', 'ours 4']) inbox.push(entry, null)
  for (const entry of ['its 1', 'its 2']) inbox.push(entry, 1)
  assert.deepEqual(gate, [])
  inbox.push('its 3', 1)
  assert.deepEqual(gate, ['pause'])
  await letGo(5)
  assert.deepEqual(gate, ['pause'], 'ours made no room')
  await letGo(3)
  assert.deepEqual(gate, ['pause', 'resume'])
  assert.deepEqual(begun.slice(4), ['ours 4', 'its 1', 'its 2', 'its 3'])
})

test('nothing is dropped for being too many', async () => {
  const { inbox, begun, letGo } = newInbox()
  for (let entry = 0; entry < 20; entry++) inbox.push(String(entry), 50)
  await letGo(20)
  assert.equal(begun.length, 20)
  await inbox.idle()
})

test('take leaves what runs, and gives what waits in its order', async () => {
  const { inbox, begun, letGo } = newInbox({ entries: 10 })
  for (const entry of ['runs', 'a', 'b']) inbox.push(entry, 1)
  assert.deepEqual(inbox.take(), ['a', 'b'])
  await letGo(1)
  await inbox.idle()
  assert.deepEqual(begun, ['runs'])
})

test('the station’s messages go before other entries while serving says so, each in its order', async () => {
  const begun: string[] = []
  const gate = { pause: () => undefined, resume: () => undefined }
  const serve = (entry: string): Promise<void> => {
    begun.push(entry)
    inbox.stationFirst = entry !== 'call 2'
    return Promise.resolve()
  }
  const inbox: Inbox<string> = new Inbox(serve, gate, { entries: 10, bytes: 10 })
  for (const entry of ['outcome 0', 'outcome 1', 'call 1', 'outcome 2', 'call 2', 'outcome 3', 'call 3'])
    inbox.push(entry, entry.startsWith('call') ? 1 : null)
  await inbox.idle()
  assert.deepEqual(begun, ['outcome 0', 'call 1', 'call 2', 'outcome 1', 'call 3', 'outcome 2', 'outcome 3'])
})

test('idle waits for what runs, for what waits, and for what is pushed meanwhile', async () => {
  const { inbox, letGo } = newInbox()
  await inbox.idle()
  let isIdle = false
  inbox.push('a', 1)
  void inbox.idle().then(() => (isIdle = true))
  inbox.push('b', 1)
  await letGo()
  assert.equal(isIdle, false)
  inbox.push('c', 1)
  await letGo(2)
  assert.equal(isIdle, true)
})

test('after it was idle it runs again', async () => {
  const { inbox, begun, letGo } = newInbox()
  for (const entry of ['a', 'b']) {
    inbox.push(entry, 1)
    await letGo()
    await inbox.idle()
  }
  assert.deepEqual(begun, ['a', 'b'])
})
