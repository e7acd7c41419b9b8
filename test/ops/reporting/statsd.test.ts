import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { setDefaultResultOrder } from 'node:dns'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { after, test } from 'node:test'
import type { Reading } from '../../../src/ops/metrics.ts'
import { linesOf, openStatsd, packetsOf, type StatsdSettings } from '../../../src/ops/reporting/statsd.ts'
import { keepUntil } from '../../support/keep.ts'
import { openStatsdServer } from '../../support/statsd.ts'

const keep = keepUntil(after)
const calls: Reading = { type: 'counter', name: 'rpc_call_total', labels: {}, value: 10 }
const clients: Reading = { type: 'gauge', name: 'clients_num', labels: {}, value: 123 }
const byAnswer: Reading = { ...calls, name: 'ocpp_call_total', labels: { version: '1.6', answer: 'app' } }
const tagged = { env: 'dev', rev: '1.1' }

const lines: readonly [reading: Reading, changes: Partial<StatsdSettings>, expected: string | null, because: string][] =
  [
    [calls, {}, 'ocpp_cable.rpc_call_total:10|c', 'a counter'],
    [clients, {}, 'ocpp_cable.clients_num:123|g', 'a gauge'],
    [{ ...calls, value: 0 }, {}, null, 'a counter that has not grown'],
    [{ ...clients, value: 0 }, {}, 'ocpp_cable.clients_num:0|g', 'a gauge of 0'],
    [{ ...clients, value: 0.000001 }, {}, 'ocpp_cable.clients_num:0.000001|g', 'a fraction has no exponent'],
    [calls, { prefix: 'ws.' }, 'ws.rpc_call_total:10|c', 'a prefix'],
    [calls, { prefix: '' }, 'rpc_call_total:10|c', 'no prefix'],
    [calls, { tags: tagged }, 'ocpp_cable.rpc_call_total:10|c|#env:dev,rev:1.1', 'tags'],
    [clients, { tags: tagged }, 'ocpp_cable.clients_num:123|g|#env:dev,rev:1.1', 'tags'],
    [clients, { tags: tagged, tagsFormat: 'influxdb' }, 'ocpp_cable.clients_num,env=dev,rev=1.1:123|g', 'tags'],
    [clients, { tags: tagged, tagsFormat: 'graphite' }, 'ocpp_cable.clients_num;env=dev;rev=1.1:123|g', 'tags'],
    [clients, { tagsFormat: 'graphite' }, 'ocpp_cable.clients_num:123|g', 'no tags'],
    [byAnswer, {}, 'ocpp_cable.ocpp_call_total:10|c|#version:1.6,answer:app', 'labels are tags'],
    [
      byAnswer,
      { tags: { env: 'dev', version: '7' } },
      'ocpp_cable.ocpp_call_total:10|c|#env:dev,version:1.6,answer:app',
      "a metric's own label wins over a tag of the same name",
    ],
    [
      { ...clients, labels: { file: 'C:|#a b;c=d,e\nf' } },
      {},
      'ocpp_cable.clients_num:123|g|#file:C___a_b_c_d_e_f',
      'what separates the parts of a line is replaced',
    ],
    [
      { ...clients, labels: { file: '' } },
      { tags: { env: '~a~b' }, tagsFormat: 'graphite' },
      'ocpp_cable.clients_num;env=_a~b;file=_:123|g',
      'Graphite takes no empty value, and none that begins with ~',
    ],
  ]
for (const [reading, changes, expected, because] of lines) {
  test(`${reading.name} with ${JSON.stringify(changes)} is ${expected ?? 'not sent'}: ${because}`, () => {
    const settings = { prefix: 'ocpp_cable.', tagsFormat: 'datadog', tags: {}, ...changes } as const
    assert.deepEqual(linesOf(settings)(reading), expected === null ? [] : [expected])
  })
}

const bundles: readonly [lines: readonly string[], packets: readonly string[], because: string][] = [
  [[], [], 'nothing to send'],
  [['aaaa', 'bbbbb'], ['aaaa\nbbbbb'], 'as many bytes as fit, the line break included'],
  [['aaaa', 'bbbbbb'], ['aaaa', 'bbbbbb'], 'one byte too many'],
  [['ééé', 'bbb'], ['ééé\nbbb'], 'bytes, not characters'],
  [['ééé', 'bbbb'], ['ééé', 'bbbb'], 'bytes, not characters'],
  [['a', 'b'.repeat(11), 'c'], ['a', 'b'.repeat(11), 'c'], 'a line longer than a packet'],
]
for (const [given, packets, because] of bundles) {
  test(`${JSON.stringify(given)} is sent as ${JSON.stringify(packets)}: ${because}`, () => {
    assert.deepEqual(packetsOf(given, 10), packets)
  })
}

/** Keeps what is warned of; `next` resolves with the next warning. */
function recorded() {
  const warnings: { readonly fields: object; readonly message: string }[] = []
  let onWarning = (): void => undefined
  const once = (_: string, fields: object | (() => object), message: string) => {
    warnings.push({ fields, message })
    onWarning()
    return true
  }
  const next = () => new Promise<void>(resolve => (onWarning = resolve))
  return { warnings, next, once }
}

function settingsFor(host: string, port: number): StatsdSettings {
  return { host, port, prefix: 'ocpp_cable.', tagsFormat: 'datadog', maxPacketSize: 60, tags: {} }
}

for (const host of ['127.0.0.1', 'localhost'])
  test(`${host} gets each report in packets of the size that is set, by IPv4`, async () => {
    // Where localhost has both addresses, ::1 would be the first.
    setDefaultResultOrder('ipv6first')
    const server = keep(await openStatsdServer())
    const { warnings, once } = recorded()
    const report = keep(openStatsd(settingsFor(host, server.port), { once }))
    await report.send([calls, clients])
    await report.send([{ ...calls, value: 3 }])
    await server.line(/rpc_call_total:3\|c/)
    assert.deepEqual(server.packets, [
      'ocpp_cable.rpc_call_total:10|c\nocpp_cable.clients_num:123|g',
      'ocpp_cable.rpc_call_total:3|c',
    ])
    assert.deepEqual(warnings, [])
  })

test('a server that is not there costs a warning, and gets the reports once it is', async () => {
  const { port } = await freeUdpPort()
  const { warnings, next, once } = recorded()
  const warned = next()
  const report = openStatsd(settingsFor('127.0.0.1', port), { once })
  await report.send([calls])
  await warned
  assert.equal(warnings[0]?.message, 'StatsD does not get the metrics')
  assert.match(JSON.stringify(warnings[0].fields), /ECONNREFUSED/)
  const server = keep(await openStatsdServer(port))
  await report.send([{ ...calls, value: 4 }])
  assert.equal(await server.line(/./), 'ocpp_cable.rpc_call_total:4|c')
})

test('a closed report has no socket open', { skip: process.platform !== 'linux' }, async () => {
  const descriptors = () => readdirSync('/proc/self/fd').length
  const server = keep(await openStatsdServer())
  const { once } = recorded()
  const report = openStatsd(settingsFor('127.0.0.1', server.port), { once })
  const before = descriptors()
  await report.send([calls])
  assert.equal(descriptors(), before + 1)
  report.close()
  assert.equal(descriptors(), before)
})

test('a host without an address costs a warning', async () => {
  const { warnings, once } = recorded()
  await openStatsd(settingsFor('nowhere.invalid', 8125), { once }).send([calls])
  assert.deepEqual(
    warnings.map(({ message }) => message),
    ['StatsD does not get the metrics'],
  )
})

/** A port that nothing listens on. */
async function freeUdpPort(): Promise<{ readonly port: number }> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>(resolve => socket.close(() => resolve()))
  return { port }
}
