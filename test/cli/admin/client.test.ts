import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdminClient, ProblemError } from '../../../src/cli/admin/client.ts'
import { CommandError } from '../../../src/cli/command.ts'
import { events, json, openFakeApi, problem } from '../../support/admin-api.ts'
import { freePort } from '../../support/ports.ts'

test('ask sends the token, and a parameter as one segment of the path', async t => {
  const api = await openFakeApi(t, json('{"id":"x","n":1.50}'))
  const client = new AdminClient({ url: `${api.url}/`, token: 'secret' })
  const { text, value } = await client.ask('getStation', { in: 'DE*7/..?' })
  assert.deepEqual([text, value.id], ['{"id":"x","n":1.50}', 'x'])
  await client.ask('setLog', { in: '*', body: '{"level":"debug"}' })
  await client.ask('listStations', { query: { id: 'C*', state: null, limit: 5 } })
  assert.deepEqual(
    api.asked.map(({ method, url, body }) => [method, url, body]),
    [
      ['GET', '/v1/stations/DE*7%2F..%3F', ''],
      ['PUT', '/v1/stations/*/log', '{"level":"debug"}'],
      ['GET', '/v1/stations?id=C*&limit=5', ''],
    ],
  )
  assert.ok(api.asked.every(({ token }) => token === 'Bearer secret'))
})

for (const parameter of ['', '.', '..']) {
  test(`ask rejects ${JSON.stringify(parameter)} in a path, and asks for nothing else instead`, async t => {
    const api = await openFakeApi(t, json({}))
    const client = new AdminClient({ url: api.url, token: null })
    await assert.rejects(client.ask('getStation', { in: parameter }), {
      name: 'CommandError',
      message: /cannot be asked for/,
    })
    assert.equal(api.asked.length, 0)
  })
}

test('ask sends no token where there is none', async t => {
  const api = await openFakeApi(t, json({}))
  await new AdminClient({ url: api.url, token: null }).ask('getStats')
  assert.equal(api.asked[0]?.token, undefined)
})

const problems = [
  ['unauthorized', null, /a token is needed: set --admin_token or ANYCABLE_ADMIN_TOKEN/, 'without a token'],
  ['unauthorized', 'wrong', /the token is wrong: set --admin_token or ANYCABLE_ADMIN_TOKEN/, 'with a wrong one'],
  ['read-only', 'reader', /admin_read_token may only read: set --admin_token/, 'with the lesser token'],
  ['unknown-station', null, /does not know this station: see ocpp-cable stations/, 'a name that nobody has'],
  ['no-outbox', null, /start it with --state_dir/, 'without state_dir'],
  ['queue-full', null, /^Too many commands wait for this Charging Station: 50$/, 'the title and the detail'],
] as const
for (const [name, token, message, because] of problems) {
  test(`ask rejects with the fix of ${name}: ${because}`, async t => {
    const { url } = await openFakeApi(t, problem(name, '50'))
    await assert.rejects(
      new AdminClient({ url, token }).ask('getStats'),
      (error: unknown) => error instanceof ProblemError && error.problem === name && message.test(error.message),
    )
  })
}

test('ask says where nothing listens, and how to start it', async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  await assert.rejects(
    new AdminClient({ url, token: null }).ask('getStats'),
    (error: unknown) =>
      error instanceof CommandError &&
      error.message ===
        `${url}: nothing listens there: start the bridge with --admin_port=8091, or correct --admin_url`,
  )
})

const strangers = [
  [404, 'Not found', 'the port of the stations'],
  [200, 'hello', 'a server that answers everything'],
  [500, '{"type":"about:blank"}', 'problems of another API'],
] as const
for (const [status, text, because] of strangers) {
  test(`ask recognises a server that is not the admin API: ${because}`, async t => {
    const { url } = await openFakeApi(t, (_asked, response) => {
      response.statusCode = status
      response.end(text)
    })
    const client = new AdminClient({ url, token: null })
    const isStranger = new RegExp(`is not the admin API of ocpp-cable \\(HTTP ${status}\\)`)
    await assert.rejects(client.ask('getStats'), isStranger)
    await assert.rejects(client.stream('tailMessages', {}).next(), isStranger)
  })
}

test('stream has the events, and ends with the stream', async t => {
  const api = await openFakeApi(t, events(['message', { a: 1 }], ['lost', { count: 2 }]))
  const found: string[] = []
  for await (const { type, data } of new AdminClient({ url: api.url, token: null }).stream('tailMessages', {
    station: 'C?',
  }))
    found.push(`${type} ${data}`)
  assert.deepEqual(found, ['message {"a":1}', 'lost {"count":2}'])
  assert.equal(api.asked[0]?.url, '/v1/messages?station=C%3F')
})

test('ask and stream say that the connection broke', async t => {
  const { url } = await openFakeApi(t, (_asked, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n', () => response.destroy())
  })
  const client = new AdminClient({ url, token: null })
  await assert.rejects(client.ask('getStats'), /the connection broke/)
  const stream = client.stream('tailMessages', {})
  assert.deepEqual((await stream.next()).value, { type: 'message', data: '1' })
  await assert.rejects(stream.next(), /the connection broke/)
})
