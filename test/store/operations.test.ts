import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openDatabase } from '../../src/store/database.ts'
import type { LastSeen } from '../../src/session/ports.ts'
import { operationsOn, type Operations, type StoredStart } from '../../src/store/operations.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { outboxMessage } from './messages.ts'
import { temporaryDirectory } from '../support/store.ts'

function operations(t: TestContext): Operations {
  const database = openDatabase(temporaryDirectory(t))
  t.after(() => database.close())
  return operationsOn(database)
}

function start(station: string, key: string, transactionId: string | null = '1'): StoredStart {
  return { station, key, content: 'digest', transactionId, answer: '{"transactionId":1}' }
}

const keysOf = (starts: readonly StoredStart[]): string[] => starts.map(({ station, key }) => `${station}/${key}`)

test('serial numbers are the last of each station, the latest change last', t => {
  const { keepSerialNumber, serialNumbers } = operations(t)
  keepSerialNumber('CP1', 'old', 1)
  keepSerialNumber('CP2', 'SN2', 2)
  keepSerialNumber('CP1', 'SN1', 3)
  assert.deepEqual(serialNumbers(), [
    ['CP2', 'SN2'],
    ['CP1', 'SN1'],
  ])
})

test('a serial number comes back as it was, whatever is in it', t => {
  const { keepSerialNumber, serialNumbers } = operations(t)
  const odd = ["'; DROP TABLE starts; --", 'Ä😀\u0000b', '\ud800', ' ']
  odd.forEach((text, at) => keepSerialNumber(`CP${at}`, text, at))
  assert.deepEqual(
    serialNumbers().map(([, text]) => text),
    odd,
  )
})

test('a proof is the last of its station, the latest change last, whatever is in its serial number', t => {
  const { keepProof, proofs } = operations(t)
  keepProof('CP1', { profile: 1, serialNumber: null, version: null }, 1)
  keepProof('CP2', { profile: 2, serialNumber: null, version: null }, 2)
  keepProof('CP1', { profile: 3, serialNumber: 'Ä\u0000', version: 'ocpp2.1' }, 3)
  assert.deepEqual(proofs(), [
    ['CP2', { profile: 2, serialNumber: null, version: null }],
    ['CP1', { profile: 3, serialNumber: 'Ä\u0000', version: 'ocpp2.1' }],
  ])
})

test('serial numbers beyond 100,000 are pruned, those that were kept longest ago first', t => {
  const database = openDatabase(temporaryDirectory(t))
  t.after(() => database.close())
  const { keepSerialNumber, prune } = operationsOn(database)
  database.transaction(() => {
    for (let at = 0; at < 100_002; at++) keepSerialNumber(`CP${at}`, 'SN', at)
  })
  prune()
  const { rows, oldest } =
    database.prepare('SELECT count(*) AS rows, min(at) AS oldest FROM serial_numbers').get() ?? {}
  assert.deepEqual([rows, oldest], [100_000, 2])
})

test('the sessions of stations without credentials and without messages are pruned', t => {
  const { append, appSession, deadLetter, keepCredentials, keepSession, prune } = operations(t)
  for (const station of ['CP1', 'CP2', 'CP3']) keepSession(station, '{}')
  keepCredentials({ station: 'CP1', digest: new Uint8Array(32), at: 1 })
  append(outboxMessage('a', { station: 'CP2' }), 1e6)
  deadLetter(1, 'raised', 1)
  prune()
  assert.deepEqual(['CP1', 'CP2', 'CP3'].map(appSession), ['{}', '{}', null])
})

test('starts are those since a time, oldest first', t => {
  const { keepStart, starts } = operations(t)
  keepStart(start('CP1', 'a'), 10, 0)
  keepStart(start('CP2', 'a'), 20, 0)
  keepStart(start('CP1', 'b', null), 30, 0)
  assert.deepEqual(
    starts(20).map(each => ({ ...each })),
    [start('CP2', 'a'), start('CP1', 'b', null)],
  )
})

test('a start is replaced when its key comes again', t => {
  const { keepStart, starts } = operations(t)
  keepStart(start('CP1', 'a'), 10, 0)
  keepStart({ ...start('CP1', 'a'), content: 'other' }, 20, 0)
  assert.deepEqual(
    starts(0).map(({ content }) => content),
    ['other'],
  )
})

test('starts that are too old are dropped when another one is kept', t => {
  const { keepStart, starts } = operations(t)
  keepStart(start('CP1', 'a'), 10, 0)
  keepStart(start('CP1', 'b'), 20, 11)
  assert.deepEqual(keysOf(starts(0)), ['CP1/b'])
})

test('a start is dropped by its transaction, of its station only', t => {
  const { keepStart, dropStart, starts } = operations(t)
  keepStart(start('CP1', 'a'), 10, 0)
  keepStart(start('CP1', 'b', '2'), 10, 0)
  keepStart(start('CP2', 'a'), 10, 0)
  dropStart('CP1', '1')
  dropStart('CP1', '3')
  assert.deepEqual(keysOf(starts(0)).sort(), ['CP1/b', 'CP2/a'])
})

test('credentials are the last of each station, the one accepted longest ago first', t => {
  const { keepCredentials, dropCredentials, credentials } = operations(t)
  const digest = (n: number): Uint8Array => new Uint8Array([n])
  keepCredentials({ station: 'CP1', digest: digest(1), at: 1 })
  keepCredentials({ station: 'CP2', digest: digest(2), at: 2 })
  keepCredentials({ station: 'CP3', digest: digest(3), at: 3 })
  keepCredentials({ station: 'CP1', digest: digest(4), at: 4 })
  dropCredentials('CP3')
  assert.deepEqual(
    credentials().accepted.map(each => ({ ...each })),
    [
      { station: 'CP2', digest: digest(2), at: 2 },
      { station: 'CP1', digest: digest(4), at: 4 },
    ],
  )
})

function seen(id: string, at: number, end: LastSeen['end'] = null): LastSeen {
  const refusal = { at: 1, status: 404, reason: 'Wrong path', address: '' }
  return { stationId: id as StationId, at, version: 'ocpp2.1', address: '::1', sn: 'Ä\u0000b', refusal, end }
}

test('a station comes back as it was last seen, the one seen last is last', t => {
  const { keepSeen, lastSeen } = operations(t)
  assert.deepEqual(lastSeen(), { aliveAt: 0, stations: [] })
  keepSeen([seen('CP1', 10), seen('CP2', 20)], 30)
  const cp1 = seen('CP1', 40, { code: 1000, reason: '\u0000' })
  keepSeen([cp1], 50)
  assert.deepEqual(lastSeen(), { aliveAt: 50, stations: [seen('CP2', 20), cp1] })
  keepSeen([], 60)
  assert.equal(lastSeen().aliveAt, 60)
})

test('connections that have no end get one, no earlier than they began', t => {
  const { keepSeen, lastSeen, endSeen } = operations(t)
  const end = { code: 1001, reason: 'Server restart' }
  keepSeen([seen('CP1', 10), seen('CP2', 20, end), seen('CP3', 40)], 30)
  const killed = { code: 1006, reason: 'killed' }
  endSeen(30, killed)
  assert.deepEqual(lastSeen().stations, [seen('CP2', 20, end), seen('CP1', 30, killed), seen('CP3', 40, killed)])
})

test('ten thousand stations are kept, the ones seen last', t => {
  const { keepSeen, lastSeen } = operations(t)
  keepSeen(Array.from({ length: 10_000 }, (_, at) => seen(`CP${at}`, at)), 1) // prettier-ignore
  keepSeen([seen('new', 20_000)], 1)
  const { stations } = lastSeen()
  assert.deepEqual([stations.length, stations[0]?.stationId, stations.at(-1)?.stationId], [10_000, 'CP1', 'new'])
})
