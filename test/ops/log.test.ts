import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { type LogOptions, openLog } from '../../src/ops/log.ts'
import type { Log } from '../../src/ops/log.ts'

/** The lines that the log writes. */
function linesOf(options: Partial<LogOptions>, write: (log: Log) => void): string[] {
  const lines: string[] = []
  write(openLog({ level: 'info', format: 'text', nodeId: 'N1', ...options, write: line => lines.push(line) }))
  return lines
}

/** The line of one entry, without its time and level. */
function textOf(fields: object, message: string, options: Partial<LogOptions> = {}): string {
  const lines = linesOf(options, log => log.info(fields, message))
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^[^\n]*\n$/, 'one line')
  return (lines[0] ?? '').replace(/^.* INF /, '').trimEnd()
}

function jsonOf(fields: object, message: string): Record<string, unknown> {
  const [line = ''] = linesOf({ format: 'json' }, log => log.info(fields, message))
  return JSON.parse(line) as Record<string, unknown>
}

const rows = [
  [{}, 'hello', 'hello nodeid=N1', 'the node id is always written'],
  [{ sid: 's1', n: 7, on: true }, 'hello', 'hello nodeid=N1 sid=s1 n=7 on=true', 'fields are written in order'],
  [{ a: 'two words' }, 'm', 'm nodeid=N1 a="two words"', 'a value with whitespace is quoted'],
  [{ a: 'x=y' }, 'm', 'm nodeid=N1 a="x=y"', 'a value that looks like a field is quoted'],
  [{ a: 'say "hi"' }, 'm', String.raw`m nodeid=N1 a="say \"hi\""`, 'quotes in a value are escaped'],
  [{ a: '' }, 'm', 'm nodeid=N1 a=""', 'an empty value is quoted'],
  [{ a: null, b: undefined }, 'm', 'm nodeid=N1 a=null', 'null is written, undefined is not'],
  [{ a: [1, 'b'] }, 'm', String.raw`m nodeid=N1 a="[1,\"b\"]"`, 'a list is written as JSON'],
  [{ a: { b: 1 } }, 'm', String.raw`m nodeid=N1 a="{\"b\":1}"`, 'an object is written as JSON'],
  [{ a: 'x\ny' }, 'a\nb\r', String.raw`a\u000ab\u000d nodeid=N1 a="x\ny"`, 'line breaks are escaped'],
  [
    { a: '\u001b[2J' },
    '\u001b[31m',
    String.raw`\u001b[31m nodeid=N1 a="\u001b[2J"`,
    'terminal escape sequences are escaped',
  ],
  [
    { a: '\u2028\u202e\u0085' },
    'm',
    String.raw`m nodeid=N1 a="\u2028\u202e\u0085"`,
    'other control characters are escaped',
  ],
  [{ station: 'Säule ⚡' }, 'm', 'm nodeid=N1 station="Säule ⚡"', 'letters of any language are written unchanged'],
  [{ 'a b\n': 1 }, 'm', String.raw`m nodeid=N1 a b\u000a=1`, 'control characters in a key are escaped'],
  [{}, '100% %s %d', '100% %s %d nodeid=N1', 'a message is not used as a format string'],
] as const
for (const [fields, message, expected, because] of rows) {
  test(`text format: ${because}`, () => {
    assert.equal(textOf(fields, message), expected)
  })
}

test('text format: has local time in milliseconds and three-letter levels', () => {
  const before = Date.now()
  const lines = linesOf({ level: 'debug' }, log => {
    log.debug({}, 'm')
    log.info({}, 'm')
    log.warn({}, 'm')
    log.error({}, 'm')
  })
  const parts = lines.map(line => /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}\.\d{3}) (\w{3}) m nodeid=N1\n$/.exec(line))
  assert.deepEqual(
    parts.map(part => part?.[3]),
    ['DBG', 'INF', 'WRN', 'ERR'],
  )
  const written = new Date(`${parts[0]?.[1] ?? ''}T${parts[0]?.[2] ?? ''}`).getTime()
  assert.ok(written >= before && written <= Date.now())
})

test("json format: uses AnyCable's keys", () => {
  const { time, ...rest } = jsonOf({ sid: 's1', n: 7 }, 'a\nb')
  assert.deepEqual(rest, { level: 'INFO', msg: 'a\nb', nodeid: 'N1', sid: 's1', n: 7 })
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('json format: writes level names, one line per entry', () => {
  const lines = linesOf({ level: 'debug', format: 'json' }, log => {
    log.debug({}, 'a\nb')
    log.warn({}, 'm')
    log.error({}, 'm')
  })
  assert.deepEqual(
    lines.map(line => /^\{"level":"(\w+)"[^\n]*\}\n$/.exec(line)?.[1]),
    ['DEBUG', 'WARN', 'ERROR'],
  )
})

const thresholds = [
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
] as const
for (const [level, expected] of thresholds) {
  test(`the log writes ${expected} of four lines at level ${level}`, () => {
    const lines = linesOf({ level }, log => {
      log.debug({}, 'm')
      log.info({}, 'm')
      log.warn({}, 'm')
      log.error({}, 'm')
    })
    assert.equal(lines.length, expected)
  })
}

test('a child logger adds its fields to each line, also a child of a child', () => {
  const lines = linesOf({}, log => {
    const session = log.child({ sid: 's1' })
    session.child({ context: 'rpc' }).info({ n: 1 }, 'inner')
    session.info({}, 'outer')
  })
  assert.match(lines[0] ?? '', / INF inner nodeid=N1 sid=s1 context=rpc n=1\n$/)
  assert.match(lines[1] ?? '', / INF outer nodeid=N1 sid=s1\n$/)
})

function errorOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

function setX(this: { x: number }): void {
  this.x = 1
}

const looped = new Error('a')
looped.cause = looped
const errors = [
  [new Error('no luck'), 'no luck', 'its message'],
  [
    new Error('outer', { cause: new Error('inner', { cause: 'innermost' }) }),
    'outer: inner: innermost',
    'its message and those of its causes',
  ],
  [new Error('same', { cause: new Error('same') }), 'same', 'one message if its cause has the same one'],
  [new TypeError(), 'TypeError', 'its name if it has no message'],
  [
    new AggregateError([new Error('ECONNREFUSED ::1'), new Error('ECONNREFUSED 127.0.0.1')]),
    'ECONNREFUSED ::1, ECONNREFUSED 127.0.0.1',
    'the errors that it gathers',
  ],
  ['just a text', 'just a text', 'the text if a string was thrown'],
  [{ code: 7 }, '{"code":7}', 'JSON if an object was thrown'],
  [{ frame: { idTag: 'TAG1' } }, '{"frame":{"idTag":"***"}}', 'masked JSON if an object with a tag was thrown'],
  [null, 'null', 'null'],
  [errorOf(() => JSON.parse('{"idTag":TAG1}')), /^Unexpected token \S+ (?:\*\*\* is not valid|in JSON at position 9)/, 'what is wrong with a JSON without the text'], // prettier-ignore
  [errorOf(() => 'x' in ('TAG1' as unknown as object)), "Cannot use 'in' operator to search for 'x' in ***", 'what V8 says without the value'], // prettier-ignore
  [errorOf(() => Reflect.apply(setX, 'TAG1', [])), "Cannot create property 'x' on string ***", 'what V8 says of a property'], // prettier-ignore
  [errorOf(() => BigInt('TAG1')), 'Cannot convert *** to a BigInt', 'what V8 says of a number'], // prettier-ignore
  [errorOf(() => Buffer.alloc('TAG1' as unknown as number)), /Received type string \*\*\*$/, 'what Node says of an argument'], // prettier-ignore
  [looped, 'a', 'a finite text if its causes form a cycle'],
] as const
for (const [error, expected, because] of errors) {
  test(`an error is written as ${because}, without its stack`, () => {
    const written = String(jsonOf({ error }, 'm')['error'])
    if (typeof expected === 'string') assert.equal(written, expected)
    else assert.match(written, expected)
    assert.equal(written.includes('TAG1'), false)
  })
}

test('an error is written with its stack, on the same line, at level debug', () => {
  const line = textOf({ error: new Error('no luck') }, 'm', { level: 'debug' })
  assert.match(line, /error="no luck\\n {4}at .*log\.test\.ts/)
})

test('a whole frame and the excerpt of one are redacted', () => {
  const text = '[2,"1","StopTransaction",{"idTag":"AB12","meterStop":}]'
  const { wholeMessage, excerpt } = jsonOf({ wholeMessage: text, excerpt: { text, at: text.indexOf('}') } }, 'm')
  assert.equal(wholeMessage, '[2,"1","StopTransaction",{"idTag":"***","meterStop":}]')
  assert.equal(excerpt, '[2,"1","StopTransaction",{"idTag":"***","meterStop":')
})

test('control and bidirectional characters are escaped in JSON lines and in the kept warnings', () => {
  const characters = ['\u007f', '\u0085', '\u009b', '\u061c', '\u200e', '\u200f', '\u2028', '\u202a', '\u202e', '\u2066', '\u2069'] // prettier-ignore
  const frame = `[2,"1","Heartbeat",{"a":"${characters.join('x')}é\u4e2d"}]`
  const lines: string[] = []
  const log = openLog({ level: 'info', format: 'json', nodeId: 'N1', write: line => lines.push(line) })
  log.warn({ frame }, 'm')
  for (const line of [...lines, ...log.warnings]) {
    assert.doesNotMatch(line.trimEnd(), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    assert.ok(line.includes(String.raw`x\u009bx`) && line.endsWith('\n'))
    assert.equal((JSON.parse(line) as { frame: string }).frame, frame)
  }
})

for (const isSensitive of [false, true]) {
  test(`the head and the tail of a whole frame are written when it is long${isSensitive ? ', with log_sensitive too' : ''}`, () => {
    const samples = '{"value":"1"},'.repeat(70_000)
    const wholeMessage = `[2,"1","StopTransaction",{"meterStop":5,"transactionData":[${samples}],"transactionId":7}]`
    const line = textOf({ wholeMessage }, 'm', { isSensitive })
    assert.ok(line.length < 50_000)
    assert.match(line, /StopTransaction.*meterStop\\":5,.*\.\.\.\(\d+\).*transactionId\\":7/)
  })
}

test('a payload is written whole, however long it is', () => {
  const wholeMessage = `{"meterStop":5,"transactionData":[${'{"value":"1"},'.repeat(70_000)}{}]}`
  assert.equal(jsonOf({ wholeMessage }, 'm')['wholeMessage'], wholeMessage)
})

test('a frame field is redacted', () => {
  assert.equal(
    jsonOf({ frame: '[2,"1","Authorize",{"idTag":"AB12"}]' }, 'm')['frame'],
    '[2,"1","Authorize",{"idTag":"***"}]',
  )
})

test('credentials and tags are masked in logged objects', () => {
  const secrets = { authorization: 'Basic x', cookie: 'x', idTag: 'x', idToken: 'x' }
  const line = textOf({ ...secrets, headers: secrets, payload: secrets, env: { headers: secrets } }, 'm')
  assert.doesNotMatch(line, /x[",}]|=x/)
  assert.equal(line.match(/\*\*\*/g)?.length, 16)
})

const script = (end: string) => `
  import { openLog } from '${new URL('../../src/ops/log.ts', import.meta.url).href}'
  const log = openLog({ level: 'info', format: 'text', nodeId: 'N1' })
  for (let n = 0; n < 2000; n++) log.info({ n }, 'line')
  log.info({}, 'the last')
  ${end}`

for (const [end, code] of [
  ['process.exit(3)', 3],
  ["throw new Error('a bug')", 1],
] as const) {
  test(`the log loses no line when the process ends by ${end}, and writes no colours to a pipe`, () => {
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script(end)])
    const lines = run.stdout.toString().trimEnd().split('\n')
    assert.equal(run.status, code, run.stderr.toString())
    assert.equal(lines.length, 2001)
    assert.match(lines.at(-1) ?? '', /INF the last nodeid=N1$/)
    assert.ok(!run.stdout.includes(0x1b))
  })
}

test('while stdout is not read, dropped lines are not even made, but warnings are, and kept', async t => {
  const code = `
    import { openLog } from '${new URL('../../src/ops/log.ts', import.meta.url).href}'
    const log = openLog({ level: 'info', format: 'json', nodeId: 'N1' })
    let [dropped, made] = [0, 0]
    log.countDrops(() => dropped++)
    const child = log.child({ context: 'x' }, { level: 'trace' })
    const seen = { toJSON: () => ++made }
    const fill = 'x'.repeat(1_000_000)
    while (dropped === 0) log.info({ fill }, 'line')
    for (let n = 0; n < 100; n++) { log.info({ seen }, 'line'); child.debug({ seen }, 'line') }
    const [ofLines, afterLines] = [made, dropped]
    log.warn({ seen }, 'a warning')
    process.stderr.write(JSON.stringify([ofLines, afterLines, made, log.warnings.length]))
    process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code])
  t.after(() => child.kill('SIGKILL'))
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  assert.deepEqual(JSON.parse(said.toString()), [0, 201, 1, 1])
})

test('setLevel changes the level of the log and its children, but not of a child that writes all its lines', () => {
  const lines: string[] = []
  const log = openLog({ level: 'info', format: 'json', nodeId: 'N1', write: line => lines.push(line) })
  const loggers = { log, child: log.child({ context: 'rpc' }), all: log.child({}, { level: 'trace' }) }
  const written = (): string[] => {
    lines.length = 0
    for (const [name, logger] of Object.entries(loggers)) {
      logger.debug({ name }, 'm')
      logger.info({ name }, 'm')
    }
    return lines.map(line => JSON.parse(line) as { level: string; name: string }).map(line => line.level + line.name)
  }
  const all = ['DEBUGall', 'INFOall']
  assert.deepEqual(written(), ['INFOlog', 'INFOchild', ...all])
  log.setLevel('debug')
  assert.deepEqual(written(), ['DEBUGlog', 'INFOlog', 'DEBUGchild', 'INFOchild', ...all])
  log.setLevel('error')
  assert.deepEqual(written(), all)
})

for (const format of ['text', 'json'] as const) {
  test(`the latest hundred warnings and errors are kept as JSON when the format is ${format}`, () => {
    const log = openLog({ level: 'info', format, nodeId: 'N1', write: () => undefined })
    log.child({ context: 'x' }).warn({ a: 1 }, 'first')
    log.info({}, 'not kept')
    log.error({ huge: 'x'.repeat(10_000) }, 'without its fields')
    const [warning, error] = log.warnings.map(line => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([warning?.['level'], warning?.['msg'], warning?.['a']], ['WARN', 'first', 1])
    assert.deepEqual([error?.['level'], error?.['msg'], error?.['huge']], ['ERROR', 'without its fields', undefined])
    for (let at = 0; at < 120; at++) log.warn({}, String(at))
    assert.equal(log.warnings.length, 100)
    assert.match(log.warnings.at(-1) ?? '', /"msg":"119"/)
  })
}

test('a thrown value that has no JSON is logged by its type, or as null', () => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  assert.match(textOf({ error: cycle }, 'm'), /error=object/)
  assert.match(textOf({ error: () => undefined }, 'm'), /error=null/)
})

test('the places of an error are none of the lines of its message', () => {
  const error = new SyntaxError('Unexpected token, "\n    at TAG1" is not valid JSON')
  const line = textOf({ error }, 'm', { level: 'debug' })
  assert.equal(line.includes('TAG1'), false, line)
  assert.match(line, / {4}at /)
})
