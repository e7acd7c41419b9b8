/**
 * Spans, for an OpenTelemetry collector. The only import of OpenTelemetry, whose packages are optional: they are loaded
 * when traces are switched on. The SDK reads its own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and the others).
 *
 * Spec: OpenTelemetry specification "Trace"; W3C Trace Context §3.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attributes, Span, SpanOptions } from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'
import type { Opened } from '../server.ts'

/** What the span of a CALL says of its station and of the message. */
type TracedCall = { readonly id: string | number | null; readonly action: string }
type TracedStation = {
  readonly who: { readonly sid: string; readonly station: string }
  readonly handshake: { readonly version: string }
}

/** As HTTP headers and gRPC metadata: `traceparent`, and whatever else the propagators of the SDK add. */
export type TraceHeaders = Readonly<Record<string, string>>

export interface Traces extends Opened {
  /**
   * Runs within a span for a CALL of a station; the RPCs and the log lines of what runs belong to it.
   *
   * @param receivedAt when the span begins, in ms of `performance.now()`
   */
  ofCall<Result>(
    station: TracedStation,
    call: TracedCall,
    receivedAt: number,
    answer: () => Promise<Result>,
  ): Promise<Result>
  /** Says on the span of a CALL who answered it. */
  onAnswer(call: TracedCall, by: string): void
  /** Runs within a span for an RPC: a child of the CALL that it is for, if there is one. */
  ofRpc<Result>(method: string, send: (headers: TraceHeaders) => Promise<Result>): Promise<Result>
  /** The fields of a log line that is written now; none outside of a span. */
  readonly logFields: () => { readonly trace_id?: string; readonly span_id?: string }
}

/** How long the last spans may take on their way to the collector, in ms. */
const flushMs = 2_000

/** @throws an error that says what to install, where the packages are missing */
export async function openTraces(settings: Partial<NodeSDKConfiguration> = {}): Promise<Traces> {
  const [api, { NodeSDK }] = await loadPackages()
  // Only spans: without these two, the SDK would send metrics and log lines of its own.
  const sdk = new NodeSDK({ ...defaultName(process.env), metricReaders: [], logRecordProcessors: [], ...settings })
  sdk.start()
  const tracer = api.trace.getTracer('ocpp-cable')
  const spans = new WeakMap<TracedCall, Span>()
  const within = <Result>(name: string, options: SpanOptions, run: (span: Span) => Promise<Result>): Promise<Result> =>
    tracer.startActiveSpan(name, options, async span => {
      try {
        return await run(span)
      } catch (error) {
        span.setStatus({ code: api.SpanStatusCode.ERROR, message: error instanceof Error ? error.message : '' })
        throw error
      } finally {
        span.end()
      }
    })
  return {
    ofCall: (station, call, receivedAt, answer) => {
      const options = { kind: api.SpanKind.SERVER, attributes: attributesOf(station, call), startTime: receivedAt }
      return within(call.action, options, span => {
        spans.set(call, span)
        return answer()
      })
    },
    onAnswer: (call, by) => void spans.get(call)?.setAttribute('ocpp.answer', by),
    ofRpc: (method, send) => {
      const attributes = { 'rpc.system': 'grpc', 'rpc.service': 'anycable.RPC', 'rpc.method': method }
      return within(`anycable.RPC/${method}`, { kind: api.SpanKind.CLIENT, attributes }, () => {
        const headers: Record<string, string> = {}
        api.propagation.inject(api.context.active(), headers)
        return send(headers)
      })
    },
    logFields: () => {
      const context = api.trace.getActiveSpan()?.spanContext()
      return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId }
    },
    close: () => Promise.race([sdk.shutdown().catch(() => undefined), sleep(flushMs, undefined, { ref: false })]),
  }
}

async function loadPackages() {
  try {
    return await Promise.all([import('@opentelemetry/api'), import('@opentelemetry/sdk-node')])
  } catch (cause) {
    const message =
      'traces need packages that are not installed: npm install @opentelemetry/api @opentelemetry/sdk-node'
    throw new Error(message, { cause })
  }
}

/** The name of the service, unless a variable of the SDK has one. */
function defaultName({ OTEL_SERVICE_NAME: name = '', OTEL_RESOURCE_ATTRIBUTES: attributes = '' }: NodeJS.ProcessEnv) {
  const isNamed = name !== '' || attributes.includes('service.name=')
  return isNamed ? {} : { serviceName: 'ocpp-cable' }
}

function attributesOf({ who, handshake }: TracedStation, { id, action }: TracedCall): Attributes {
  const message = { 'ocpp.version': handshake.version, 'ocpp.action': action, 'ocpp.message_id': String(id) }
  return { ...message, 'ocpp.station': who.station, 'ocpp.sid': who.sid }
}
