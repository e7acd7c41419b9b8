/**
 * Spans, for an OpenTelemetry collector. The only import of OpenTelemetry, whose packages are optional: they are loaded
 * when traces are switched on. The SDK reads its own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and the others).
 *
 * Spec: OpenTelemetry specification "Trace"; W3C Trace Context §3.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Api from '@opentelemetry/api'
import type { Attributes, Span, SpanOptions, Tracer } from '@opentelemetry/api'
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node'
import type { Opened } from '../http/server.ts'

/** What the span of a CALL or SEND says of its station and of the message. */
type TracedCall = { /** JSON. */ readonly id: string; readonly action: string }
/** `receivedAt` in ms of `performance.now()`. */
type ReceivedCall = { readonly call: TracedCall; readonly receivedAt: number }
/** `givenAt` in ms of `performance.now()`. */
type TracedCommand = TracedCall & { readonly givenAt: number }
/** Who has given a command: an operator by the admin API, the bridge itself, or for `null` the app. */
export type Origin = 'admin' | 'bridge' | null
type TracedStation = {
  readonly who: { readonly sid: string; readonly station: string }
  readonly handshake: { readonly version: string }
}

/** As HTTP headers and gRPC metadata: `traceparent`, and whatever else the propagators of the SDK add. */
export type TraceHeaders = Readonly<Record<string, string>>

export interface Traces extends Opened {
  /** Runs within a span for a CALL or SEND of a station; the RPCs and the log lines of what runs belong to it. */
  ofCall<Result>(station: TracedStation, received: ReceivedCall, answer: () => Promise<Result>): Promise<Result>
  /** Says on the span of a CALL who answered it. */
  onAnswer(call: TracedCall, by: string): void
  /** Begins the span of a command to a station: a child of the CALL in whose reply the app gave it, if it did. */
  onCommand(station: TracedStation, command: TracedCommand, origin: Origin): void
  /** Ends the span of a command at its first outcome. */
  onOutcome(command: TracedCommand, outcome: { readonly late: boolean }, label: string): void
  /** Runs what tells the app of an outcome: its RPCs belong to the command. */
  ofOutcome<Result>(outcome: object, tell: () => Promise<Result>): Promise<Result>
  /** Runs within a span for an RPC: a child of the CALL or command that it is for, if there is one. */
  ofRpc<Result>(method: string, send: (headers: TraceHeaders) => Promise<Result>): Promise<Result>
  /** The fields of a log line that is written now; none outside of a span. */
  readonly logFields: () => { readonly trace_id?: string; readonly span_id?: string }
}

/** How long the last spans may take on their way to the collector, in ms. */
const flushMs = 2_000

/** In characters: of what a station chooses. A message id of OCPP has at most 36. */
const maxText = 64

/**
 * @param isAction whether OCPP knows an action: any other is `other` as the name of a span
 * @throws an error that says what to install, where the packages are missing
 */
export async function openTraces(
  isAction: (name: string) => boolean,
  settings: Partial<NodeSDKConfiguration> = {},
): Promise<Traces> {
  const [api, { NodeSDK }] = await loadPackages()
  // Only spans: without these two, the SDK would send metrics and log lines of its own.
  const sdk = new NodeSDK({ ...defaultName(process.env), metricReaders: [], logRecordProcessors: [], ...settings })
  sdk.start()
  const tracer = api.trace.getTracer('ocpp-cable')
  const nameOf = ({ action }: TracedCall): string => (isAction(action) ? action : 'other')
  /** By the CALL, the command or the outcome. */
  const spans = new WeakMap<object, Span>()
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
    ofCall: (station, { call, receivedAt }, answer) => {
      const attributes = attributesOf(station, call)
      // The inbox may run in the context of other work, to which this message does not belong.
      const options = { kind: api.SpanKind.SERVER, attributes, startTime: receivedAt, root: true }
      return within(nameOf(call), options, span => {
        spans.set(call, span)
        return answer()
      })
    },
    onAnswer: (call, by) => void spans.get(call)?.setAttribute('ocpp.answer', by),
    ...tracedCommands(api, tracer, nameOf, spans),
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

/** The spans of commands. None is active while its command waits for the station. */
function tracedCommands(
  api: typeof Api,
  tracer: Tracer,
  nameOf: (command: TracedCall) => string,
  spans: WeakMap<object, Span>,
): Pick<Traces, 'onCommand' | 'onOutcome' | 'ofOutcome'> {
  return {
    onCommand: (station, command, origin) => {
      const attributes = { ...attributesOf(station, command), ...(origin !== null && { 'ocpp.origin': origin }) }
      const options = { kind: api.SpanKind.CLIENT, attributes, startTime: command.givenAt }
      spans.set(command, tracer.startSpan(nameOf(command), options))
    },
    onOutcome: (command, outcome, label) => {
      const span = spans.get(command)
      if (span === undefined) return
      spans.set(outcome, span)
      if (outcome.late) return
      span.setAttribute('ocpp.outcome', label)
      if (label !== 'ack') span.setStatus({ code: api.SpanStatusCode.ERROR })
      span.end()
    },
    ofOutcome: (outcome, tell) => {
      const span = spans.get(outcome)
      return span === undefined ? tell() : api.context.with(api.trace.setSpan(api.context.active(), span), tell)
    },
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
  const message = {
    'ocpp.version': handshake.version,
    'ocpp.action': cut(action),
    'ocpp.message_id': cut(String(JSON.parse(id))),
  }
  return { ...message, 'ocpp.station': who.station, 'ocpp.sid': who.sid }
}

/** A copy: a slice would keep a whole message alive while its span waits for the collector. */
function cut(text: string): string {
  return Buffer.from(text.slice(0, maxText)).toString()
}
