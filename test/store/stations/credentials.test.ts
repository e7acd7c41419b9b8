import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { openCredentials, type Credentials } from '../../../src/store/stations/credentials.ts'
import { openDatabase } from '../../../src/store/database.ts'
import { operationsOn } from '../../../src/store/operations.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { openSourceStore, temporaryDirectory } from '../../support/store.ts'

const within = { timeout: 60_000 }
const one = 'CP1' as StationId
const other = 'CP2' as StationId
const secret = 'Basic Q1AxOnNlc2FtZQ=='

/** What the next process knows. */
async function reopened(
  dir: string,
  change: (credentials: Credentials) => void,
  clock = { now: 0 },
): Promise<Credentials> {
  for (const each of [change, () => undefined]) {
    const store = await openSourceStore(dir)
    const credentials = await openCredentials(store, () => clock.now, assert.ifError)
    each(credentials)
    await store.close()
    if (each !== change) return credentials
  }
  return assert.fail()
}

test('a station that was accepted is known by its credentials, also to the next process', within, async t => {
  const known = await reopened(temporaryDirectory(t), credentials => {
    assert.equal(credentials.wasAccepted(one, secret), false)
    credentials.onAccepted(one, secret)
    credentials.onAccepted(other, '')
    assert.equal(credentials.wasAccepted(one, secret), true)
  })
  assert.equal(known.wasAccepted(one, secret), true)
  assert.equal(known.wasAccepted(other, ''), true)
})

test('a station is not known by other credentials, nor by those of another station', within, async t => {
  const known = await reopened(temporaryDirectory(t), credentials => {
    credentials.onAccepted(one, 'old')
    credentials.onAccepted(one, secret)
  })
  assert.equal(known.wasAccepted(one, 'old'), false)
  assert.equal(known.wasAccepted(one, ''), false)
  assert.equal(known.wasAccepted(other, secret), false)
})

test('a station is forgotten when its credentials are rejected, and not when wrong ones are', within, async t => {
  const known = await reopened(temporaryDirectory(t), credentials => {
    for (const station of [one, other]) credentials.onAccepted(station, secret)
    credentials.onRejected(one, 'wrong')
    credentials.onRejected(other, secret)
  })
  assert.equal(known.wasAccepted(one, secret), true)
  assert.equal(known.wasAccepted(other, secret), false)
})

test('credentials themselves are in no file', within, async t => {
  const dir = temporaryDirectory(t)
  await reopened(dir, credentials => credentials.onAccepted(one, secret))
  const bytes = readdirSync(dir).map(file => readFileSync(path.join(dir, file)))
  assert.ok(bytes.some(each => each.includes(one)))
  assert.ok(!bytes.some(each => each.includes('Q1AxOnNlc2FtZQ')))
})

test('a change that is not kept is reported, and counts all the same', within, async t => {
  const store = await openSourceStore(temporaryDirectory(t))
  const failures: unknown[] = []
  const credentials = await openCredentials(store, Date.now, error => failures.push(error))
  await store.close()
  credentials.onAccepted(one, secret)
  credentials.onAccepted(one, secret)
  await new Promise(setImmediate)
  assert.equal(failures.length, 1)
  assert.equal(credentials.wasAccepted(one, secret), true)
})

/** A directory in which so many stations are known, CP0 accepted first. */
function directoryWith(t: TestContext, count: number): string {
  const dir = temporaryDirectory(t)
  const database = openDatabase(dir)
  const { credentials, keepCredentials } = operationsOn(database)
  const digestOf = (station: string): Uint8Array =>
    createHmac('sha256', credentials().key)
      .update(JSON.stringify([station, secret]))
      .digest()
  database.transaction(() => {
    for (let at = 0; at < count; at++)
      keepCredentials({ station: `CP${at}`, digest: at < 9 ? digestOf(`CP${at}`) : new Uint8Array(32), at })
  })
  database.close()
  return dir
}

test('the station accepted longest ago is forgotten when there are more than 100,000', within, async t => {
  const dir = directoryWith(t, 100_001)
  const day = 24 * 60 * 60_000
  const known = (credentials: Credentials) =>
    [0, 1, 2, 3].filter(at => credentials.wasAccepted(`CP${at}` as StationId, secret))
  let before: readonly number[] = []
  const next = await reopened(
    dir,
    credentials => {
      before = known(credentials)
      credentials.onAccepted('CP1' as StationId, secret)
      for (const each of ['new', 'newer']) credentials.onAccepted(each as StationId, secret)
    },
    { now: 2 * day },
  )
  assert.deepEqual(before, [1, 2, 3])
  assert.deepEqual(known(next), [1])
  assert.equal(next.wasAccepted('newer' as StationId, secret), true)
})

test('an acceptance is written again after a day', within, async t => {
  const dir = temporaryDirectory(t)
  const day = 24 * 60 * 60_000
  const times: number[] = []
  for (const now of [day, 2 * day - 1, 2 * day]) {
    await reopened(dir, credentials => credentials.onAccepted(one, secret), { now })
    const store = await openSourceStore(dir)
    times.push(...(await store.call('credentials')).accepted.map(({ at }) => at))
    await store.close()
  }
  assert.deepEqual(times, [day, day, 2 * day])
})
