import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import { check } from 'prettier'
import { Histogram, Registry } from 'prom-client'
import { metricsPage } from '../../bin/metrics-page.ts'
import { table, type Gauges } from '../../src/ops/metric-table.ts'
import { type Meter, Metrics, noMeter, openMetrics } from '../../src/ops/metrics.ts'

const gauges: Gauges = {
  clients_num: () => 7,
  broadcast_streams_num: () => 8,
  disconnect_queue_size: () => 9,
  rpc_pending_num: () => 10,
  rpc_capacity_num: () => 11,
  state_open_num: () => 1,
  ocpp_outbox_messages_num: () => 12,
  ocpp_outbox_oldest_seconds: () => 13,
  ocpp_stations_num: () => [
    [{ version: '1.6', state: 'accepted' }, 5],
    [{ version: '2.1', state: 'pending' }, 2],
  ],
  queue_size: () => [[{ queue: 'commands' }, 3]],
  queue_limit: () => [[{ queue: 'commands' }, 50]],
  ready: () => [[{ part: 'rpc' }, 1]],
  certificate_expiry_timestamp_seconds: () => [[{ file: '/etc/ssl/a.pem', kind: 'certificate' }, 1_800_000_000]],
  event_loop_delay_seconds: () => [[{ quantile: '0.99' }, 0.001]],
}

/** The lines of one metric in the exposition. */
async function linesOf(metrics: Metrics, name: string): Promise<string[]> {
  const text = await metrics.exposition(gauges)
  return text.split('\n').filter(line => new RegExp(`^(# \\w+ )?${name}(_bucket|_sum|_count)?[ {]`).test(line))
}

test("a counter has AnyCable's name and help text, and is exposed before it counts", async () => {
  assert.deepEqual(await linesOf(new Metrics('anycable_go_'), 'anycable_go_rpc_timeout_total'), [
    '# HELP anycable_go_rpc_timeout_total The total number of RPC call that timed out',
    '# TYPE anycable_go_rpc_timeout_total counter',
    'anycable_go_rpc_timeout_total 0',
  ])
})

test('a counter increments by one, or by a given number', async () => {
  const metrics = new Metrics('ocpp_cable_')
  metrics.count('rpc_call_total')
  metrics.count('rpc_call_total')
  metrics.count('data_rcvd_total', {}, 120)
  metrics.count('data_rcvd_total', {}, 3)
  assert.equal((await linesOf(metrics, 'ocpp_cable_rpc_call_total')).at(-1), 'ocpp_cable_rpc_call_total 2')
  assert.equal((await linesOf(metrics, 'ocpp_cable_data_rcvd_total')).at(-1), 'ocpp_cable_data_rcvd_total 123')
})

test('a counter without labels counts in place, too', async () => {
  const metrics = new Metrics('')
  metrics.totals.data_rcvd_total.value += 120
  metrics.count('data_rcvd_total', {}, 3)
  metrics.totals.rpc_call_total.value++
  assert.equal((await linesOf(metrics, 'data_rcvd_total')).at(-1), 'data_rcvd_total 123')
  assert.equal((await linesOf(metrics, 'rpc_call_total')).at(-1), 'rpc_call_total 1')
})

test('a counter counts each label value separately and escapes it', async () => {
  const metrics = new Metrics('')
  metrics.count('ocpp_call_total', { version: '1.6', action: 'Heartbeat', answer: 'local' })
  metrics.count('ocpp_call_total', { version: '1.6', action: 'Authorize', answer: 'app' })
  metrics.count('ocpp_call_total', { action: 'Authorize', answer: 'app', version: '1.6' })
  metrics.count('ocpp_command_total', { version: '1.6', action: 'Reset', outcome: 'a "b"\n\\' })
  assert.deepEqual((await linesOf(metrics, 'ocpp_call_total')).slice(2), [
    'ocpp_call_total{version="1.6",action="Heartbeat",answer="local"} 1',
    'ocpp_call_total{version="1.6",action="Authorize",answer="app"} 2',
  ])
  assert.equal(
    (await linesOf(metrics, 'ocpp_command_total')).at(-1),
    String.raw`ocpp_command_total{version="1.6",action="Reset",outcome="a \"b\"\n\\"} 1`,
  )
})

test('a histogram counts its observations in seconds', async () => {
  const metrics = new Metrics('')
  metrics.observe('rpc_call_seconds', { method: 'command' }, 0.02)
  metrics.observe('rpc_call_seconds', { method: 'command' }, 4)
  const lines = await linesOf(metrics, 'rpc_call_seconds')
  for (const line of [
    'rpc_call_seconds_bucket{le="0.01",method="command"} 0',
    'rpc_call_seconds_bucket{le="0.025",method="command"} 1',
    'rpc_call_seconds_bucket{le="5",method="command"} 2',
    'rpc_call_seconds_count{method="command"} 2',
    'rpc_call_seconds_sum{method="command"} 4.02',
  ]) {
    assert.ok(lines.includes(line), line)
  }
})

test('a histogram is exposed as one of prom-client, whatever is observed', async () => {
  const metrics = new Metrics('')
  const registers = [new Registry()]
  const { help, labels } = table.ocpp_command_seconds
  const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
  const name = 'ocpp_command_seconds'
  const own = new Histogram({ name, help, labelNames: Object.keys(labels), buckets, registers })
  for (const outcome of ['ack', 'a "b"\n\\'])
    for (const seconds of [0, ...buckets, 0.0051, 29.9, 30.1, 1e6]) {
      metrics.observe(name, { outcome }, seconds)
      own.observe({ outcome }, seconds)
    }
  const expected = await registers[0]?.metrics()
  assert.equal((await metrics.exposition(gauges)).includes(expected?.trimEnd() ?? 'none'), true)
  assert.match(
    await metrics.exposition(gauges),
    /\nocpp_command_wait_seconds_count 0\n/,
    'one without labels is there from the start',
  )
})

test('tags are labels of every series, and give way to a label of the metric', async () => {
  const metrics = new Metrics('', { env: 'dev', version: '7' })
  metrics.count('ocpp_connection_total', { version: '1.6' })
  assert.equal((await linesOf(metrics, 'rpc_call_total')).at(-1), 'rpc_call_total{env="dev",version="7"} 0')
  assert.equal((await linesOf(metrics, 'clients_num')).at(-1), 'clients_num{env="dev",version="7"} 7')
  assert.equal(
    (await linesOf(metrics, 'ocpp_connection_total')).at(-1),
    'ocpp_connection_total{version="1.6",env="dev"} 1',
  )
  assert.equal(
    (await linesOf(metrics, 'ocpp_command_wait_seconds')).at(-1),
    'ocpp_command_wait_seconds_count{env="dev",version="7"} 0',
  )
})

test('readings has each series once: counters, gauges, and the count and sum of histograms', () => {
  const metrics = new Metrics('ocpp_cable_')
  metrics.totals.rpc_call_total.value = 2
  metrics.observe('rpc_call_seconds', { method: 'command' }, 0.02)
  metrics.observe('rpc_call_seconds', { method: 'command' }, 4)
  const readings = metrics.readings(gauges)
  const of = (wanted: string) => readings.filter(({ name }) => name === wanted)
  assert.deepEqual(of('rpc_call_total'), [{ type: 'counter', name: 'rpc_call_total', labels: {}, value: 2 }])
  assert.deepEqual(of('clients_num'), [{ type: 'gauge', name: 'clients_num', labels: {}, value: 7 }])
  assert.deepEqual(
    of('ocpp_stations_num').map(({ value }) => value),
    [5, 2],
  )
  const labels = { method: 'command' }
  assert.deepEqual(of('rpc_call_seconds_count'), [
    { type: 'counter', name: 'rpc_call_seconds_count', labels, value: 2 },
  ])
  assert.deepEqual(of('rpc_call_seconds_sum'), [{ type: 'counter', name: 'rpc_call_seconds_sum', labels, value: 4.02 }])
})

test('gauges are read at each scrape', async () => {
  const metrics = new Metrics('')
  let clients = 1
  const asked = { ...gauges, clients_num: () => clients }
  assert.match(await metrics.exposition(asked), /\nclients_num 1\n/)
  clients = 2
  const text = await metrics.exposition(asked)
  assert.match(text, /\nclients_num 2\n/)
  assert.match(
    text,
    /\nbroadcast_streams_num 8\n[^]*\ndisconnect_queue_size 9\n[^]*\nrpc_pending_num 10\n[^]*\nrpc_capacity_num 11\n[^]*\nocpp_outbox_messages_num 12\n[^]*\nocpp_outbox_oldest_seconds 13\n/,
  )
  assert.ok(Number(/\nmem_sys_bytes (\d+)\n/.exec(text)?.[1]) > 10_000_000)
})

test('a gauge with labels is a series for each sample, and one that is no longer read is gone', async () => {
  const metrics = new Metrics('')
  assert.deepEqual((await linesOf(metrics, 'ocpp_stations_num')).slice(2), [
    'ocpp_stations_num{version="1.6",state="accepted"} 5',
    'ocpp_stations_num{version="2.1",state="pending"} 2',
  ])
  const text = await metrics.exposition({ ...gauges, ocpp_stations_num: () => [] })
  assert.doesNotMatch(text, /^ocpp_stations_num\{/m)
})

test('a counter of known label values has a series for each of them, from 0', async () => {
  const lines = (await linesOf(new Metrics(''), 'ocpp_dropped_total')).slice(2)
  const reasons = Object.keys(table.ocpp_dropped_total.labels.reason)
  assert.deepEqual(
    lines,
    reasons.map(reason => `ocpp_dropped_total{reason="${reason}"} 0`),
  )
})

test('a counter of an open set of label values has no series before it counts', async () => {
  assert.deepEqual((await linesOf(new Metrics(''), 'ocpp_call_total')).slice(2), [])
})

test('noMeter counts and observes nothing', () => {
  noMeter.count('rpc_call_total')
  noMeter.observe('rpc_call_seconds', { method: 'command' }, 1)
})

test('two Metrics instances are independent', async () => {
  const [one, two] = [new Metrics(''), new Metrics('')]
  one.count('rpc_call_total')
  assert.equal((await linesOf(one, 'rpc_call_total')).at(-1), 'rpc_call_total 1')
  assert.equal((await linesOf(two, 'rpc_call_total')).at(-1), 'rpc_call_total 0')
})

test('the compiler rejects names and labels that are not in the table', () => {
  const meter: Meter = new Metrics('')
  // @ts-expect-error: it is a gauge
  meter.count('clients_num')
  // @ts-expect-error: no such outcome
  meter.count('ocpp_call_total', { version: '1.6', action: 'Heartbeat', answer: 'perhaps' })
  // @ts-expect-error: no such reason
  meter.count('ocpp_dropped_total', { reason: 'no_statoin' })
  // @ts-expect-error: labels are missing
  assert.doesNotThrow(() => meter.count('ocpp_call_total'))
  // @ts-expect-error: it has no labels
  meter.count('rpc_call_total', { method: 'connect' })
})

async function open(t: TestContext) {
  const lines: unknown[] = []
  const log = { info: (fields: object, message: string) => lines.push({ ...fields, message }) }
  const options = { host: 'localhost', port: 0, path: '/metrics' }
  const server = await openMetrics(options, new Metrics('ocpp_cable_'), gauges, log)
  t.after(() => server.close())
  return { server, lines, url: `http://127.0.0.1:${server.port}` }
}

test('metrics are served at their path, and the log shows the URL', async t => {
  const { server, lines, url } = await open(t)
  const response = await fetch(`${url}/metrics?x=1`)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(await response.text(), /^ocpp_cable_clients_num 7$/m)
  const message = `Serve metrics at http://localhost:${server.port}/metrics`
  assert.deepEqual(lines, [{ context: 'metrics', message }])
})

test('scrapes that wait share one text, which is made after they came', async t => {
  let made = 0
  const counted = { ...gauges, clients_num: () => ++made }
  const log = { info: () => undefined }
  const address = { host: '127.0.0.1', port: 0, path: '/metrics' }
  const server = await openMetrics(address, new Metrics(''), counted, log)
  t.after(() => server.close())
  const scrape = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
    return Number(/^clients_num (\d+)$/m.exec(text)?.[1])
  }
  assert.equal(await scrape(), 1)
  await Promise.all(Array.from({ length: 30 }, scrape))
  assert.ok(made < 10, `${made} texts for 31 scrapes`)
  const before = made
  assert.ok((await scrape()) > before)
})

for (const [method, path] of [
  ['GET', '/'],
  ['GET', '/metrics/x'],
  ['POST', '/metrics'],
] as const) {
  test(`the metrics server answers 404 to ${method} ${path}`, async t => {
    const { url } = await open(t)
    assert.equal((await fetch(url + path, { method })).status, 404)
  })
}

test('close returns at once while a scraper keeps its connection open', async t => {
  const { server } = await open(t)
  const socket = connect(server.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n')
  await once(socket, 'data')
  const ended = once(socket, 'close')
  const started = performance.now()
  await server.close()
  assert.ok(performance.now() - started < 500)
  socket.resume()
  await ended
})

test('docs/metrics.md lists exactly the exposed metrics, as prettier formats it', async () => {
  const text = await new Metrics('').exposition(gauges)
  const exposed = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
  const page = metricsPage()
  const listed = [...page.matchAll(/^\| `(\w+)` +\| (\w+)/gm)].map(([, name, type]) => `${name} ${type}`)
  assert.deepEqual(listed, exposed)
  assert.ok(exposed.length > 25)
  assert.match(page, /^- `answer`: `app`, `replayed`, `silent`/m)
  assert.match(
    page,
    /^- `reason` of `ocpp_dropped_total`: one of\n( {2}- `\w+`: .*\n)* {2}- `no_station`: an OCPP message/m,
  )
  assert.match(page, /^- `version`: the OCPP version/m, 'listed once, though several metrics have the label')
  assert.match(
    page,
    /^- `outcome` of `ocpp_command_total`: `ack`,/m,
    'two metrics have it, each with values of its own',
  )
  assert.match(page, /^- `outcome` of `ocpp_report_total`: `whole`/m)
  assert.ok(await check(page, { parser: 'markdown', printWidth: 120 }))
})

test('a total adds up the series that a condition fits, and observations those of all series', () => {
  const metrics = new Metrics('')
  for (const answer of ['app', 'failed', 'failed'] as const)
    metrics.count('ocpp_call_total', { version: '1.6', action: 'Heartbeat', answer })
  assert.deepEqual(
    [metrics.total('ocpp_call_total'), metrics.total('ocpp_call_total', ({ answer }) => answer === 'failed')],
    [3, 2],
  )
  metrics.observe('rpc_call_seconds', { method: 'command' }, 0.02)
  metrics.observe('rpc_call_seconds', { method: 'connect' }, 60)
  const { inBuckets, seconds, bounds } = metrics.observed('rpc_call_seconds')
  assert.deepEqual([inBuckets.at(2), inBuckets.at(-1), seconds], [1, 1, 60.02])
  assert.equal(inBuckets.length, bounds.length + 1)
})
