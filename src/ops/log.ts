/**
 * The log: one line per event on stdout, in AnyCable's formats, `text` or `json`. The only import of pino.
 *
 * Field names with a meaning: `error` is written as the messages of the error and its causes; `frame`, `wholeMessage`
 * and `excerpt` are redacted and truncated, lazily, when their line passes the level (of `wholeMessage` only a broken
 * one of more than 16,384 characters is, to its head and its tail); `nodeid`, `sid`, `station` and `context` identify
 * the source of a line. `time`, `level` and `msg` are reserved.
 */
import { isatty } from 'node:tty'
import { pino, stdTimeFunctions } from 'pino'
import { openStdout } from './output.ts'
import { cutBefore, cutFrame, cutKept, redactBefore, redactFrame, redactKept } from './redact/redact.ts'

/** A logger with pino's signature: fields first, then the message. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** @param options `trace`: the child writes all its lines, whatever the level of the log is */
  child(fields: object, options?: { readonly level: 'trace' }): Log
}

/** The log of the process. */
export interface RootLog extends Log {
  /** Sets the level of the log and of its children, but not of those that write all their lines. */
  setLevel(level: LogOptions['level']): void
  /** The latest lines at warn or error, as JSON, the latest last. */
  readonly warnings: readonly string[]
  /** Has each line counted that is dropped from now on, because stdout is not read. */
  countDrops(count: () => void): void
}

export type LogOptions = {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly format: 'text' | 'json'
  readonly nodeId: string
  /** Whether frames are written as they are, tags and keys included. */
  readonly isSensitive?: boolean
  /** Further fields of each line, as of when it is written. */
  readonly fields?: (() => object) | undefined
  /** Receives each line, including its line break; default: stdout. */
  readonly write?: (line: string) => void
}

/** The text of a frame, and an index before which it is shown. */
export type Excerpt = { readonly text: string; readonly at: number }

/** Masked in case an object with credentials is logged whole. */
const SECRETS = ['authorization', 'cookie', 'idTag', 'idToken']
const SECRET_PATHS = SECRETS.flatMap(name => [name, `headers.${name}`, `env.headers.${name}`, `payload.${name}`])

/** Opens the log. No line is lost when the process exits or crashes, as long as stdout is read. */
export function openLog({ level, format, nodeId, isSensitive = false, fields, write }: LogOptions): RootLog {
  const colour = write === undefined && isatty(1)
  const stdout = write === undefined ? openStdout(num => log.warn({ num }, droppedText)) : null
  // A child of pino keeps the level that its parent had. The children of this program live as long as it does.
  const loggers: { level: string }[] = []
  const warnings: string[] = []
  const log = pino(
    {
      level,
      onChild: child => void loggers.push(child),
      base: { nodeid: nodeId },
      ...(fields !== undefined && { mixin: fields }),
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label.toUpperCase() }) },
      serializers: {
        error: error => (log.level === 'debug' ? errorWithStack(error) : errorText(error)),
        ...(isSensitive ? shown : masked),
      },
      redact: { paths: SECRET_PATHS, censor: '***' },
      hooks: {
        logMethod(args, method, severity) {
          if (stdout?.isFull === true && severity < warnSeverity) stdout.drop()
          else method.apply(this, args)
        },
        streamWrite: written => {
          const line = escapedJson(written)
          if (isWarning(line)) keepWarning(warnings, line)
          return format === 'text' ? textLine(line, colour) : line
        },
      },
    },
    stdout ?? { write: write ?? (() => undefined) },
  )
  loggers.push(log)
  return Object.assign(log, {
    warnings,
    setLevel: (next: LogOptions['level']) => {
      for (const logger of loggers) if (logger.level !== 'trace') logger.level = next
    },
    countDrops: (count: () => void) => stdout?.countDrops(count),
  })
}

/** Lines of this severity and above are made even while stdout is full: `warnings` keeps them. */
const warnSeverity = pino.levels.values['warn'] ?? 0
const maxWarnings = 100
/** In characters. A longer line is kept without its fields. */
const maxWarningLength = 8_000

/** @param line as pino writes it: its level comes first */
function isWarning(line: string): boolean {
  return line.startsWith('{"level":"WARN"') || line.startsWith('{"level":"ERROR"')
}

function keepWarning(warnings: string[], line: string): void {
  warnings.push(line.length > maxWarningLength ? withoutFields(line) : line)
  if (warnings.length > maxWarnings) warnings.shift()
}

function withoutFields(line: string): string {
  const { level, time, msg } = JSON.parse(line) as Record<string, unknown>
  return JSON.stringify({ level, time, msg })
}

const masked = {
  frame: (frame: unknown) => (typeof frame === 'string' ? redactFrame(frame) : frame),
  wholeMessage: redactKept,
  excerpt: ({ text, at }: Excerpt) => redactBefore(text, at),
}
const shown = {
  frame: (frame: unknown) => (typeof frame === 'string' ? cutFrame(frame) : frame),
  wholeMessage: cutKept,
  excerpt: ({ text, at }: Excerpt) => cutBefore(text, at),
}

const droppedText = 'lines of the log were dropped: stdout was not read'

/**
 * The message of an error and those of its causes, at most five. An AggregateError, as `net.connect` throws it, has the
 * messages of all its errors.
 */
function errorText(error: unknown): string {
  const texts: string[] = []
  for (let each = error, depth = 0; each !== undefined && depth < 5; depth++) {
    const text = ownText(each)
    if (texts.at(-1) !== text) texts.push(text)
    each = each instanceof Error ? each.cause : undefined
  }
  return texts.join(': ')
}

function ownText(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : valueText(error)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join(', ')
  return error.message === '' ? error.name : withoutValues(error)
}

/** A value with a cycle has no JSON; a function is `null` within a list. */
function valueText(value: unknown): string {
  try {
    return redactFrame(JSON.stringify([value]).slice(1, -1))
  } catch {
    return typeof value
  }
}

/**
 * What V8 and Node repeat of values, which may be a message of a station: what `JSON.parse` cannot read, and others.
 */
const repeatedValues =
  /".*"|(?<=' in ).*|(?<= on (?:string|number|boolean|bigint) ).*|(?<=^Cannot convert ).*(?= to )|(?<= Received type string ).*/gs

function withoutValues(error: Error): string {
  const isOfEngine = error instanceof SyntaxError || error instanceof TypeError
  return isOfEngine ? error.message.replace(repeatedValues, '***') : error.message
}

function errorWithStack(error: unknown): string {
  return [errorText(error), ...placesOf(error).map(place => `    ${place}`)].join('\n')
}

/**
 * Where an error was made, the innermost place first. They are looked for behind its message, which may have such
 * lines, too; there are none if the message was replaced.
 */
export function placesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const { message, stack = '' } = error
  const at = stack.indexOf(message)
  const places = at === -1 ? [] : (stack.slice(at + message.length).match(/^ {4}at .*/gm) ?? [])
  return places.map(place => place.trim())
}

const levels: Readonly<Record<string, readonly [text: string, colour: number]>> = {
  DEBUG: ['DBG', 35],
  INFO: ['INF', 32],
  WARN: ['WRN', 33],
  ERROR: ['ERR', 31],
}

/** Converts pino's line to AnyCable's `text` format: local time, level, message, fields. */
function textLine(line: string, colour: boolean): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const paint = (text: string, code: number) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
  const [name, code] = levels[String(level)] ?? [String(level), 0]
  const written = Object.entries(fields).map(([key, value]) => `${paint(`${escaped(key)}=`, 2)}${fieldText(value)}`)
  return `${[localTime(new Date(String(time))), paint(name, code), escaped(String(msg)), ...written].join(' ')}\n`
}

function localTime(date: Date): string {
  const two = (part: number) => String(part).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  const time = [two(date.getHours()), two(date.getMinutes()), two(date.getSeconds())].join(':')
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return typeof value === 'string' && /^[^\s"=\p{C}]+$/u.test(text) ? text : quoted(text)
}

function quoted(text: string): string {
  return /[\s"=\p{C}]|^$/u.test(text) ? escaped(JSON.stringify(text)) : text
}

/** What JSON leaves as it is, but terminals obey: control characters, line separators, the direction of a text. */
const unsafe = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Such characters stand only in texts of the line, where an escape means the same. */
function escapedJson(line: string): string {
  return line.replace(unsafe, unicodeEscape)
}

/** Escapes line breaks and terminal control characters, which a station may have sent. */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, unicodeEscape)
}

function unicodeEscape(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return `\\u${code.toString(16).padStart(4, '0')}`
}
