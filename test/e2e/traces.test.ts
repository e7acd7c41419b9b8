/** Traces of the built program, with the real SDK and its exporter, a collector in this process, and the real gem. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { openBridge, program } from '../support/bridge.ts'
import { openGemApp } from '../support/gem.ts'
import { keepUntil } from '../support/keep.ts'
import { run } from '../support/process.ts'
import { openStation } from '../support/station.ts'

type Span = { readonly name: string; readonly traceId: string; readonly spanId: string; readonly parentSpanId?: string }
type Sent = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] }
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[]
  }[]
}

type Received = Span & { readonly service: unknown }

const keep = keepUntil(after)

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
          received.push({ ...span, service })
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
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, span, paths, close }
}

test('the app gets the traceparent of the RPC, whose span is a child of the CALL of the station', async () => {
  const app = keep(await openGemApp())
  const collector = keep(await openCollector())
  const bridge = keep(
    await openBridge([`--rpc_host=${app.grpc}`, '--ocpp_channel=ContractChannel', '--traces'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '20',
    }),
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

test('without its packages, the program does not start, and names them', async () => {
  const hook = `export const resolve = (name, context, next) =>
    name.startsWith('@opentelemetry/') ? Promise.reject(new Error('not found')) : next(name, context)`
  const url = `data:text/javascript,${encodeURIComponent(hook)}`
  const register = `data:text/javascript,${encodeURIComponent(`import { register } from 'node:module'; register(${JSON.stringify(url)})`)}`
  const env = { NODE_OPTIONS: `--import=${register}` }
  const { code, stderr } = await run(process.execPath, [program, '--ignore-config-path', '--traces'], { env })
  assert.equal(code, 1)
  assert.match(stderr, /npm install @opentelemetry\/api @opentelemetry\/sdk-node/)
})
