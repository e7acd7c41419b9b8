/** With the real SDK, and its exporter that keeps spans in memory. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { tracing } from '@opentelemetry/sdk-node'
import { isAction } from '../../../src/config/actions.ts'
import { openLog } from '../../../src/ops/log.ts'
import { openTraces, type Traces } from '../../../src/ops/reporting/traces.ts'

const exporter = new tracing.InMemorySpanExporter()
const processor = new tracing.SimpleSpanProcessor(exporter)
const station = { who: { sid: 'sid1', station: 'CP1' }, handshake: { version: 'ocpp1.6' } }
const heartbeat = { id: '"m1"', action: 'Heartbeat' }
let traces: Traces

before(async () => {
  traces = await openTraces(isAction, { spanProcessors: [processor] })
})
after(() => traces.close())
beforeEach(() => {
  exporter.reset()
})

/** In the order of their ends. */
async function ended(): Promise<tracing.ReadableSpan[]> {
  await processor.forceFlush()
  return exporter.getFinishedSpans()
}

test('the span of an RPC is a child of the CALL that it is for, and its headers name it', async () => {
  let headers: Readonly<Record<string, string>> = {}
  const answer = () => traces.ofRpc('Command', sent => Promise.resolve((headers = sent)))
  await traces.ofCall(station, { call: heartbeat, receivedAt: performance.now() }, answer)
  const [rpc, call] = await ended()
  assert.deepEqual([rpc?.name, call?.name], ['anycable.RPC/Command', 'Heartbeat'])
  assert.equal(rpc?.parentSpanContext?.spanId, call?.spanContext().spanId)
  const { traceId = '', spanId = '' } = rpc?.spanContext() ?? {}
  assert.deepEqual(headers, { traceparent: `00-${traceId}-${spanId}-01` })
})

test('the span of a CALL says which message of which station it is, and who answered it', async () => {
  const call = { ...heartbeat }
  await traces.ofCall(station, { call: call, receivedAt: performance.now() }, async () => {
    await Promise.resolve()
    traces.onAnswer(call, 'silent')
  })
  assert.deepEqual((await ended())[0]?.attributes, {
    'ocpp.version': 'ocpp1.6',
    'ocpp.action': 'Heartbeat',
    'ocpp.message_id': 'm1',
    'ocpp.station': 'CP1',
    'ocpp.sid': 'sid1',
    'ocpp.answer': 'silent',
  })
})

test('a span is named other for an action that OCPP does not know, and its attributes have 64 characters', async () => {
  const long = { id: `"${'m'.repeat(60_000)}"`, action: 'A'.repeat(60_000) }
  const command = { ...long, asked: null, givenAt: 0 }
  await traces.ofCall(station, { call: long, receivedAt: 0 }, () => Promise.resolve())
  traces.onCommand(station, command, null)
  traces.onOutcome(command, { late: false }, 'ack')
  assert.deepEqual(
    (await ended()).map(({ name, attributes }) => [name, attributes['ocpp.action'], attributes['ocpp.message_id']]),
    Array(2).fill(['other', 'A'.repeat(64), 'm'.repeat(64)]),
  )
})

test('the span of a CALL is the root of its trace, whatever was going on when it was served', async () => {
  await traces.ofCall(station, { call: { ...heartbeat }, receivedAt: 0 }, () =>
    traces.ofCall(station, { call: { ...heartbeat }, receivedAt: 0 }, async () => {}),
  )
  const spans = await ended()
  assert.deepEqual(
    spans.map(span => span.parentSpanContext),
    [undefined, undefined],
  )
  assert.equal(new Set(spans.map(span => span.spanContext().traceId)).size, 2)
})

const reset = () => ({ id: '"r1"', action: 'Reset', givenAt: performance.now() })

test('the span of a command ends with its outcome, and the RPC that tells the app belongs to it', async () => {
  const [command, outcome] = [reset(), { late: false }]
  traces.onCommand(station, command, null)
  assert.deepEqual(await ended(), [])
  traces.onOutcome(command, outcome, 'ack')
  await traces.ofOutcome(outcome, () => traces.ofRpc('Command', () => Promise.resolve()))
  const [span, rpc] = await ended()
  assert.deepEqual([span?.name, span?.kind, rpc?.name], ['Reset', SpanKind.CLIENT, 'anycable.RPC/Command'])
  assert.equal(rpc?.parentSpanContext?.spanId, span?.spanContext().spanId)
  assert.deepEqual(span?.attributes, {
    'ocpp.version': 'ocpp1.6',
    'ocpp.action': 'Reset',
    'ocpp.message_id': 'r1',
    'ocpp.station': 'CP1',
    'ocpp.sid': 'sid1',
    'ocpp.outcome': 'ack',
  })
  assert.equal(span.status.code, SpanStatusCode.UNSET)
})

test('the span of a command that failed is an error, and a late outcome changes nothing of it', async () => {
  const [command, late] = [reset(), { late: true }]
  traces.onCommand(station, command, 'admin')
  traces.onOutcome(command, { late: false }, 'CallTimeout')
  traces.onOutcome(command, late, 'ack')
  await traces.ofOutcome(late, () => traces.ofRpc('Command', () => Promise.resolve()))
  const [span, rpc, ...others] = await ended()
  assert.deepEqual(others, [])
  assert.deepEqual([span?.attributes['ocpp.outcome'], span?.attributes['ocpp.origin']], ['CallTimeout', 'admin'])
  assert.equal(span?.status.code, SpanStatusCode.ERROR)
  assert.equal(rpc?.spanContext().traceId, span.spanContext().traceId)
})

test('a command in the reply to a CALL belongs to it; any other has a trace of its own', async () => {
  const [within, alone] = [reset(), reset()]
  await traces.ofCall(station, { call: { ...heartbeat }, receivedAt: 0 }, async () => {
    await Promise.resolve()
    traces.onCommand(station, within, null)
  })
  traces.onCommand(station, alone, null)
  for (const command of [within, alone]) traces.onOutcome(command, { late: false }, 'ack')
  const [call, ...commands] = await ended()
  assert.deepEqual(
    commands.map(span => span.parentSpanContext?.spanId),
    [call?.spanContext().spanId, undefined],
  )
})

test('an outcome without a command, such as a CALLRESULTERROR, is told without a span', async () => {
  assert.equal(await traces.ofOutcome({}, () => Promise.resolve('told')), 'told')
  assert.deepEqual(await ended(), [])
})

test('two CALLs at the same time have a trace each', async () => {
  const other = { ...station, who: { sid: 'sid2', station: 'CP2' } }
  const answer = async () => {
    await Promise.resolve()
    return traces.ofRpc('Command', sent => Promise.resolve(sent['traceparent']?.split('-')[1]))
  }
  const found = await Promise.all(
    [station, other].map(each => traces.ofCall(each, { call: { ...heartbeat }, receivedAt: 0 }, answer)),
  )
  const spans = (await ended()).filter(({ name }) => name === 'Heartbeat')
  assert.equal(new Set(found).size, 2)
  assert.deepEqual(new Set(spans.map(span => span.spanContext().traceId)), new Set(found))
})

test('the span of a failed RPC carries its error, which is passed on', async () => {
  const failed = traces.ofRpc('Connect', () => Promise.reject(new Error('no connection')))
  await assert.rejects(failed, /no connection/)
  assert.deepEqual((await ended())[0]?.status, { code: 2, message: 'no connection' })
})

test('a log line of a CALL has the ids of its trace and span; any other line has none', async () => {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>)
  const log = openLog({ level: 'info', format: 'json', nodeId: 'n1', fields: traces.logFields, write })
  log.info({}, 'before')
  await traces.ofCall(station, { call: heartbeat, receivedAt: 0 }, async () => {
    await Promise.resolve()
    log.child({ sid: 'sid1' }).info({}, 'within')
  })
  const context = (await ended())[0]?.spanContext()
  assert.deepEqual(
    lines.map(({ msg, trace_id, span_id }) => [msg, trace_id, span_id]),
    [
      ['before', undefined, undefined],
      ['within', context?.traceId, context?.spanId],
    ],
  )
})
