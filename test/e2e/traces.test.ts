/** Traces of the built program, with the real SDK and its exporter, a collector in this process, and the real gem. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { openAdminBridge } from '../support/admin-bridge.ts'
import { cableApp } from '../support/app.ts'
import { commandBroadcast, openBridge, program } from '../support/bridge.ts'
import { openGemApp } from '../support/gem.ts'
import { keepUntil } from '../support/keep.ts'
import { run } from '../support/process.ts'
import { bootOf } from '../support/ocpp2.ts'
import { openRawStation, openStation } from '../support/station.ts'

type Attribute = { readonly key: string; readonly value: { readonly stringValue?: string } }
type Span = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly Attribute[]
}
type Sent = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
  }[]
}

type Received = Omit<Span, 'attributes'> & {
  readonly service: unknown
  readonly attributes: Readonly<Record<string, unknown>>
}

const keep = keepUntil(after)
const accepted = { status: 'Accepted', currentTime: '2026-01-01T00:00:00Z', interval: 300 }

/** Takes OTLP over HTTP, in JSON. */
async function openCollector() {
  const received: Received[] = []
  const arrivals = new EventEmitter()
  const paths = new Set<string>()
  const server = createServer((request, response) => {
    paths.add(request.url ?? '')
    void json(request).then(body => {
      for (const { resource, scopeSpans } of (body as Sent).resourceSpans)
        for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
          const service = resource.attributes.find(({ key }) => key === 'service.name')?.value
          const attributes = Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue]))
          received.push({ ...span, attributes, service })
        }
      arrivals.emit('spans')
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  /** The first span that matches, whether already received or not. */
  const span = async (wants: (span: Received) => boolean): Promise<Received> => {
    for (let found = received.find(wants); ; found = received.find(wants)) {
      if (found !== undefined) return found
      await once(arrivals, 'spans')
    }
  }
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '20',
  }
  return { env, span, paths, close }
}

test('the app gets the traceparent of the RPC, whose span is a child of the CALL of the station', async () => {
  const app = keep(await openGemApp())
  const collector = keep(await openCollector())
  const bridge = keep(
    await openBridge([`--rpc_host=${app.grpc}`, '--ocpp_channel=ContractChannel', '--traces'], collector.env),
  )
  const station = keep(await openStation(bridge.url, 'CP1'))
  const { data } = await station.call('DataTransfer', { vendorId: 'trace' })
  const call = await collector.span(({ name }) => name === 'DataTransfer')
  const [version, traceId, spanId] = String(data).split('-')
  const rpc = await collector.span(span => span.spanId === spanId)
  assert.deepEqual([version, traceId], ['00', call.traceId])
  assert.deepEqual([rpc.name, rpc.parentSpanId], ['anycable.RPC/Command', call.spanId])
  assert.deepEqual(call.service, { stringValue: 'ocpp-cable' })
  // The station was attached within its first CALL.
  assert.equal((await collector.span(({ name }) => name === 'anycable.RPC/Connect')).traceId, call.traceId)
  await station.close()
  // The last spans are sent before the program ends.
  await collector.span(({ name }) => name === 'anycable.RPC/Disconnect')
  assert.equal((await bridge.kill('SIGTERM')).code, 0)
  assert.deepEqual([...collector.paths], ['/v1/traces'], 'neither metrics nor log lines')
})

test(
  'a SEND and each command have a span, and the RPC that reports an outcome is its child',
  { timeout: 60_000 },
  async () => {
    const collector = keep(await openCollector())
    const { app, bridge, admin } = await openAdminBridge(
      keep,
      ['--traces', '--ocpp_sn=station_id'],
      () => null,
      collector.env,
    )
    const traceparents = new Map<unknown, string>()
    const script = cableApp(({ command }) => (command === 'BootNotification' ? accepted : null))
    app.always(call => {
      const { id } = JSON.parse((call.message['data'] as string | undefined) || '{}') as { readonly id?: unknown }
      traceparents.set(id, call.metadata['traceparent'] ?? '')
      return script(call)
    })
    const station = keep(await openRawStation(bridge.url, 'CP1', { version: 'ocpp2.1' }))
    await station.call('boot', 'BootNotification', JSON.stringify(bootOf('CP1')))
    const stream = JSON.stringify({ id: 1, pending: 0, basetime: '2026-01-01T00:00:00Z', data: [] })
    station.send(`[6,"sent","NotifyPeriodicEventStream",${stream}]`)
    await bridge.broadcast(commandBroadcast('CP1', { command: 'ClearCache', id: 'asked', payload: {} }))
    await station.message(/^\[2,"asked"/)
    station.send('[3,"asked",{"status":"Accepted"}]')
    await bridge.broadcast(commandBroadcast('CP1', { command: 'Nonsense', id: 'refused', payload: {} }))
    const answer = admin.ask('POST', '/v1/stations/CP1/calls', { action: 'ClearCache', payload: {}, notify: true })
    const [, id = ''] = /^\[2,"([^"]+)","ClearCache"/.exec(await station.message(/^\[2,"(?!asked)/)) ?? []
    station.send(`[3,"${id}",{"status":"Rejected"}]`)
    await answer
    for (const [message, name, outcome] of [
      ['sent', 'NotifyPeriodicEventStream', undefined],
      ['asked', 'ClearCache', 'ack'],
      ['refused', 'other', 'UnknownAction'],
      [id, 'ClearCache', 'ack'],
    ] as const) {
      const span = await collector.span(each => each.attributes['ocpp.message_id'] === message)
      assert.deepEqual([span.name, span.attributes['ocpp.outcome']], [name, outcome], message)
      const rpc = await collector.span(each => each.parentSpanId === span.spanId)
      assert.equal(traceparents.get(message), `00-${span.traceId}-${rpc.spanId}-01`, message)
    }
    const asked = await collector.span(each => each.attributes['ocpp.message_id'] === id)
    assert.equal(asked.attributes['ocpp.origin'], 'admin')
  },
)

test('without its packages, the program does not start, and names them', async () => {
  const hook = `export const resolve = (name, context, next) =>
    name.startsWith('@opentelemetry/') ? Promise.reject(new Error('not found')) : next(name, context)`
  const url = `data:text/javascript,${encodeURIComponent(hook)}`
  const register = `data:text/javascript,${encodeURIComponent(`import { register } from 'node:module'; register(${JSON.stringify(url)})`)}`
  const env = { NODE_OPTIONS: `--import=${register}` }
  const { code, stdout, stderr } = await run(process.execPath, [program, '--ignore-config-path', '--traces'], { env })
  assert.equal(code, 1)
  assert.equal(stdout, '', 'nothing of the bridge has begun')
  const packages = '@opentelemetry/api @opentelemetry/sdk-node'
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    `Error: traces need packages that are not installed: npm install ${packages}`,
    'Nothing was started. See --help.',
  ])
})
