/**
 * The example app by itself: the real gem, spoken to as the bridge will speak to it, and a real nats-server.
 */
import { credentials, loadPackageDefinition, Metadata, type Client, type ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { connect, type NatsConnection } from 'nats'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openNats } from '../support/nats.ts'
import { openRails, type LedgerEntry, type Rails } from '../support/rails.ts'

type Reply = {
  readonly status: 'SUCCESS' | 'FAILURE' | 'ERROR'
  readonly identifiers?: string
  readonly transmissions?: readonly string[]
  readonly streams?: readonly string[]
  readonly error_msg?: string
}
type Frame = { readonly command: string; readonly id: string; readonly payload: Readonly<Record<string, unknown>> }
type RpcName = 'Connect' | 'Command' | 'Disconnect'
type RpcClient = Client & {
  readonly [name in RpcName]: (
    message: object,
    metadata: Metadata,
    options: { deadline: number },
    done: (error: ServiceError | null, reply: Reply) => void,
  ) => void
}

const proto = loadPackageDefinition(
  loadSync(fileURLToPath(new URL('../../protos/rpc.proto', import.meta.url)), {
    keepCase: true,
    enums: String,
    defaults: true,
  }),
) as unknown as { anycable: { RPC: new (address: string, by: typeof insecure) => RpcClient } }
const insecure = credentials.createInsecure()

const password = 'correct horse:battery'

let rails: Rails
let client: RpcClient
let subscriber: NatsConnection
const opened: { close(): unknown }[] = []

before(async () => {
  const nats = await openNats()
  opened.push(nats)
  rails = await openRails({
    natsUrl: nats.url,
    env: { STATIONS: 'CP 01,CP02,CP03', ID_TAGS: 'TAG1,TAG2', STATION_PASSWORD: password },
  })
  opened.push(rails)
  client = new proto.anycable.RPC(`127.0.0.1:${rails.rpcPort}`, insecure)
  opened.push(client)
  subscriber = await connect({ servers: nats.url })
  opened.push(subscriber)
})

after(async () => {
  for (const part of opened.reverse()) await part.close()
})

/** A station's session, as the bridge would hold it; `path` is the last segment of the station's URL, as sent. */
function session(sid: string, path: string, { sn = 'SN1', channel = 'OCPPChannel', basic = '' } = {}) {
  const identifier = JSON.stringify({ channel, sn })
  const userAndPassword = Buffer.from(basic || `${decodeURIComponent(path)}:${password}`).toString('base64')
  const headers = { authorization: `Basic ${userAndPassword}`, REMOTE_ADDR: '203.0.113.7' }
  const env = { url: `http://csms.example:8080/ocpp/${path}`, headers, cstate: {}, istate: {} }
  let identifiers = ''

  const rpc = async (name: RpcName, message: object) => {
    const metadata = new Metadata()
    metadata.set('sid', sid)
    metadata.set('protov', 'v1')
    return new Promise<Reply>((resolve, reject) => {
      client[name](message, metadata, { deadline: Date.now() + 10_000 }, (error, reply) =>
        error ? reject(error) : resolve(reply),
      )
    })
  }
  const command = (name: string, data = '') =>
    rpc('Command', { command: name, identifier, connection_identifiers: identifiers, data, env })

  return {
    connect: async () => {
      const reply = await rpc('Connect', { env })
      identifiers = reply.identifiers ?? ''
      return reply
    },
    subscribe: () => command('subscribe'),
    unsubscribe: () => command('unsubscribe'),
    disconnect: () => rpc('Disconnect', { identifiers, subscriptions: [identifier], env }),
    /** Performs an action; returns the payload of the app's Ack, undefined when it says nothing. */
    perform: async (data: object) => {
      const reply = await command('message', JSON.stringify(data))
      assert.equal(reply.status, 'SUCCESS', reply.error_msg)
      const frames = (reply.transmissions ?? []).map(text => (JSON.parse(text) as { message: Frame }).message)
      assert.ok(frames.every(frame => frame.command === 'Ack'))
      return frames[0]?.payload
    },
  }
}

async function subscribed(...args: Parameters<typeof session>) {
  const station = session(...args)
  assert.equal((await station.connect()).status, 'SUCCESS')
  assert.equal((await station.subscribe()).status, 'SUCCESS')
  return station
}

const eventsOf = (station: string) => rails.ledger().filter(entry => entry.station === station)
const idOf = (id: string) => (entry: LedgerEntry) => entry.id === id
const start = { connectorId: 1, idTag: 'TAG1', meterStart: 10.5, timestamp: '2026-01-02T03:04:05Z' }
/** As the bridge performs it; `key` identifies the start, whatever its id. */
const startTransaction = (id: string, key = `StartTransaction-${id}`) => ({
  action: 'start_transaction',
  id,
  command: 'StartTransaction',
  payload: start,
  version: '1.6',
  key,
})

test('a charging session from connect to disconnect', async () => {
  const station = session('s1', 'CP%2001')
  const connected = await station.connect()
  assert.deepEqual([connected.status, connected.identifiers], ['SUCCESS', '{"station_id":"CP 01"}'])
  assert.deepEqual((await station.subscribe()).streams, ['ocpp:ev/SN1'])

  const boot = await station.perform({
    action: 'boot_notification',
    id: 'm1',
    command: 'BootNotification',
    payload: { chargePointVendor: 'V', chargePointModel: 'M', meterSerialNumber: 'SN1' },
  })
  assert.deepEqual([boot?.['status'], boot?.['interval']], ['Accepted', 300])
  assert.ok(Math.abs(Date.parse(String(boot?.['currentTime'])) - Date.now()) < 60_000)

  const status = { connectorId: 1, status: 'Available', errorCode: 'NoError' }
  assert.equal(
    await station.perform({ action: 'status_notification', id: 'm2', command: 'StatusNotification', payload: status }),
    undefined,
  )
  const authorize = (id: string, idTag: string) =>
    station.perform({ action: 'authorize', id, command: 'Authorize', payload: { idTag } })
  assert.deepEqual(await authorize('m3', 'TAG1'), { idTagInfo: { status: 'Accepted' } })
  assert.deepEqual(await authorize('m4', 'STOLEN'), { idTagInfo: { status: 'Invalid' } })

  const started = await station.perform(startTransaction('m5'))
  const transactionId = started?.['transactionId']
  assert.ok(Number.isInteger(transactionId) && Number(transactionId) > 0 && Number(transactionId) < 2 ** 31)
  assert.deepEqual(started, { transactionId, idTagInfo: { status: 'Accepted' } })

  const meterValue = [{ timestamp: '2026-01-02T03:05:05Z', sampledValue: [{ value: '11.5' }] }]
  const meter = { connectorId: 1, transactionId, meterValue }
  assert.deepEqual(
    await station.perform({ action: 'meter_values', id: 'm6', command: 'MeterValues', payload: meter, key: 'k6' }),
    {},
  )
  const stop = { transactionId, meterStop: 20, timestamp: '2026-01-02T04:04:05Z' }
  assert.deepEqual(
    await station.perform({
      action: 'stop_transaction',
      id: 'm7',
      command: 'StopTransaction',
      payload: stop,
      key: 'k7',
    }),
    {},
  )
  assert.equal((await station.disconnect()).status, 'SUCCESS')

  assert.deepEqual(
    eventsOf('CP 01').map(({ event, id }) => [event, id]),
    [
      ['connected', undefined],
      ['subscribed', undefined],
      ['boot_notification', 'm1'],
      ['status_notification', 'm2'],
      ['authorize', 'm3'],
      ['authorize', 'm4'],
      ['start_transaction', 'm5'],
      ['meter_values', 'm6'],
      ['stop_transaction', 'm7'],
      ['unsubscribed', undefined],
      ['disconnected', undefined],
    ],
  )
  assert.deepEqual((await rails.waitFor(idOf('m6'))).payload, meter)
})

test('a start that comes again under its key is booked once, also under a new id, and after the app was killed', async () => {
  const station = await subscribed('s2', 'CP02')
  const other = await subscribed('s3', 'CP03')
  const first = await station.perform(startTransaction('1', 'a'))
  assert.deepEqual(await station.perform({ ...startTransaction('7', 'a'), attempt: 2 }), first)
  const sameIdOfAnother = await other.perform(startTransaction('1', 'b'))
  const sameIdAnotherTime = await station.perform(startTransaction('1', 'c'))

  await rails.restart()
  assert.deepEqual(await station.perform(startTransaction('1', 'a')), first)
  const afterRestart = await station.perform(startTransaction('2', 'd'))

  const ids = [first, sameIdOfAnother, sameIdAnotherTime, afterRestart].map(ack => ack?.['transactionId'])
  assert.equal(new Set(ids).size, 4)
  const bookings = eventsOf('CP02').filter(entry => entry.event === 'start_transaction')
  assert.deepEqual(
    bookings.map(({ id, number, duplicate, attempt }) => ({ id, number, duplicate, attempt })),
    [
      { id: '1', number: ids[0], duplicate: undefined, attempt: undefined },
      { id: '7', number: ids[0], duplicate: true, attempt: 2 },
      { id: '1', number: ids[2], duplicate: undefined, attempt: undefined },
      { id: '1', number: ids[0], duplicate: true, attempt: undefined },
      { id: '2', number: ids[3], duplicate: undefined, attempt: undefined },
    ],
  )
})

test('starts that come at the same time get different ids, and the same one gets one', async () => {
  const station = await subscribed('s4', 'CP03')
  const messages = Array.from({ length: 400 }, (_, index) => `together-${Math.floor(index / 2)}`)
  const ids: unknown[] = []
  while (ids.length < messages.length) {
    const together = messages.slice(ids.length, ids.length + 20) // fewer than the gem's RPC server takes at a time
    const acks = await Promise.all(together.map(id => station.perform(startTransaction(id))))
    ids.push(...acks.map(ack => ack?.['transactionId']))
  }
  assert.equal(new Set(ids).size, 200)
  messages.forEach((id, index) => assert.equal(ids[index], ids[messages.indexOf(id)]))
})

const refused = [
  ['an unknown station', session('r1', 'CP99')],
  ['the right station with a wrong password', session('r2', 'CP02', { basic: 'CP02:wrong' })],
  ['a station with the id and password of another', session('r3', 'CP02', { basic: `CP03:${password}` })],
  ['an id that is decoded twice to a known one', session('r4', 'CP%252001', { basic: `CP 01:${password}` })],
  ['the same with its own id', session('r5', 'CP%252001')],
] as const
for (const [because, station] of refused) {
  test(`${because} is refused`, async () => {
    const entries = rails.ledger().length
    const reply = await station.connect()
    assert.equal(reply.status, 'FAILURE', reply.error_msg)
    assert.deepEqual(JSON.parse(reply.transmissions?.[0] ?? ''), {
      type: 'disconnect',
      reason: 'unauthorized',
      reconnect: false,
    })
    assert.equal(rails.ledger().length, entries)
  })
}

test('with one receive method for everything, in either version', async () => {
  const station = await subscribed('s5', 'CP03', { sn: 'SN5', channel: 'OCPPReceiveChannel' })
  const startData = { id: 'r1', command: 'StartTransaction', payload: start, key: 'r1' }
  const started = await station.perform(startData)
  assert.deepEqual(started?.['idTagInfo'], { status: 'Accepted' })
  assert.deepEqual(await station.perform(startData), started)
  assert.equal(await station.perform({ id: 'r2', command: 'BootNotification', payload: {} }), undefined)
  const event = { eventType: 'Started', seqNo: 0, transactionInfo: { transactionId: 'T' } }
  assert.deepEqual(await station.perform({ id: 'r3', command: 'TransactionEvent', payload: event, key: 'r3' }), {})
  await station.perform({ id: 'r4', command: 'Error', code: 'CallTimeout', message: '', payload: {}, request: 'Reset' })
  const error = await rails.waitFor(idOf('r4'))
  assert.deepEqual([error.event, error.code, error.request], ['error', 'CallTimeout', 'Reset'])
})

/** The remote command that the app broadcasts next. */
async function nextBroadcast(subscription: AsyncIterable<{ string(): string }>) {
  for await (const message of subscription) {
    const { stream, data } = JSON.parse(message.string()) as { stream: string; data: string }
    return { stream, frame: JSON.parse(data) as Frame }
  }
  throw new Error('the subscription ended')
}

const answers = [
  {
    because: 'the answer is shown',
    task: 'ocpp:remote_start[SN7, TAG1]',
    asked: ['RemoteStartTransaction', { idTag: 'TAG1' }],
    data: { action: 'ack', command: 'Ack', payload: { status: 'Accepted' } },
    shown: { code: 0, stdout: /^SN7: \{"status":"Accepted"\}$/m, stderr: /(?:)/ },
  },
  {
    because: 'an error is shown, and fails the task',
    task: 'ocpp:remote_stop[SN7, 42]',
    asked: ['RemoteStopTransaction', { transactionId: 42 }],
    data: { action: 'error', command: 'Error', code: 'InternalError', message: 'no relay', payload: {} },
    shown: { code: 1, stdout: /^$/, stderr: /^SN7: InternalError no relay$/m },
  },
] as const
for (const { because, task, asked, data, shown } of answers) {
  test(`rake ${task} broadcasts a command: ${because}`, async () => {
    const station = await subscribed('s7', 'CP02', { sn: 'SN7' })
    const subscription = subscriber.subscribe('__anycable__', { max: 1 })
    await subscriber.flush()
    const broadcast = nextBroadcast(subscription)
    const ended = rails.rake(task)
    const { stream, frame } = await broadcast
    assert.equal(stream, 'ocpp:ev/SN7')
    assert.deepEqual([frame.command, frame.payload], asked)

    await station.perform({ ...data, id: frame.id, request: frame.command })
    const { code, stdout, stderr } = await ended
    assert.equal(code, shown.code, stderr)
    assert.match(stdout, shown.stdout)
    assert.match(stderr, shown.stderr)
  })
}

test('rake ocpp:remote_start fails with one line when no answer comes', async () => {
  const { code, stderr } = await rails.rake('ocpp:remote_start[SN8, TAG1]', { WAIT: '0.2' })
  assert.equal(code, 1)
  assert.match(stderr, /^SN8: no answer\./m)
})
