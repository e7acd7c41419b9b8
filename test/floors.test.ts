/**
 * Who may import whom: reads every import of `src/`, those of types included, and holds it against the floors of
 * `docs/architecture.md`. Arrows point down only, and there are no rings.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'

/** A file's path below `src/`, and its text. */
type House = ReadonlyMap<string, string>
type Import = { readonly from: string; readonly to: string; readonly isLibrary: boolean; readonly isTypeOnly: boolean }

/**
 * Where imports may point: a folder, a file, `node:`, `network` (the libraries below); `type:` before it, for types
 * only.
 */
const floors: Readonly<Record<string, readonly string[]>> = {
  ocpp: [],
  cable: [],
  http2: [],
  translate: ['ocpp', 'cable'],
  session: ['ocpp', 'cable', 'translate', 'type:ops', 'ops/recent.ts', 'ops/limits', 'ops/redact', 'node:crypto'],
  fleet: ['session', 'ocpp', 'cable', 'translate', 'type:ops', 'ops/recent.ts'],
  ops: ['node:', 'network'],
  rpc: ['ocpp', 'cable', 'http2', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  broadcast: ['ocpp', 'cable', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  server: ['ocpp', 'cable', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  admin: ['ocpp', 'cable', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  // It runs in a browser: of the program it knows the shapes of what the admin API answers.
  console: ['type:admin'],
  validation: ['ocpp', 'cable', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  store: ['ocpp', 'cable', 'translate', 'session/ports.ts', 'ops', 'node:', 'network'],
  config: ['ocpp', 'cable', 'translate', 'node:', 'smol-toml'],
  cli: [
    'ocpp',
    'cable',
    'translate',
    'session/ports.ts',
    'ops',
    'rpc',
    'broadcast',
    'server',
    'store',
    'validation',
    'config',
    'settings.ts',
    'admin',
    'node:',
  ],
}
/** The roof sees all, but goes to the network through the edges. */
const roof = ['main.ts', 'app.ts', 'gauges.ts', 'settings.ts', 'administration.ts', 'stations.ts', 'threads.ts']
/**
 * The one file of a floor of words that goes to the network; work that has its place in a turn of the event loop; the
 * types of the libraries that a browser loads.
 */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  'http2/socket.ts': ['node:net', 'node:tls'],
  'http2/output.ts': ['ops/event-loop/turn-end.ts'],
  'fleet/broadcasts/publications.ts': ['ops/event-loop/turn-share.ts'],
  'console/vendor/lit-html/lit-html.d.ts': ['lit-html'],
  'console/vendor/lit-html/directives/repeat.d.ts': ['lit-html'],
  'console/vendor/uplot/uPlot.esm.d.ts': ['uplot'],
}
/** Each is imported in one file only, and no file imports more than one. */
const network = [
  ['ws'],
  ['@grpc/grpc-js'],
  ['nats'],
  ['pino'],
  ['prom-client'],
  ['ajv', 'ajv-formats'],
  ['@photostructure/sqlite'],
  ['@opentelemetry/api', '@opentelemetry/sdk-node'],
]

/** All that breaks the rules, in words. */
function violations(house: House): string[] {
  const imports = [...house].flatMap(([from, text]) => importsOf(from, text))
  return [
    ...imports.filter(one => !mayImport(one)).map(({ from, to }) => `${from} imports ${to}`),
    ...network.flatMap(libraries => scattered(libraries, imports)),
    ...[...house.keys()].filter(file => ringThrough(file, imports)).map(file => `${file} is in a ring`),
  ]
}

/** Static, dynamic and type imports, and what is exported from elsewhere; a relative one as its path below `src/`. */
function importsOf(from: string, text: string): Import[] {
  const found: Import[] = []
  const add = (name: ts.Node, isTypeOnly: boolean): void => {
    if (!ts.isStringLiteral(name)) throw new Error(`${from} imports what is not known: ${name.getText()}`)
    const isRelative = name.text.startsWith('.')
    const to = isRelative ? path.posix.join(path.posix.dirname(from), name.text) : name.text
    found.push({ from, to, isLibrary: !isRelative && !to.startsWith('node:'), isTypeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      for (const name of node.arguments.slice(0, 1)) add(name, false)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(from, text, ts.ScriptTarget.ESNext, true))
  return found
}

function mayImport({ from, to, isLibrary, isTypeOnly }: Import): boolean {
  if (roof.includes(from)) return !isLibrary
  const folder = from.split('/')[0] ?? ''
  const allowed = floors[folder]
  if (allowed === undefined) return false
  return [folder, ...allowed, ...(exceptions[from] ?? [])].some(rule => {
    const goal = rule.replace(/^type:/, '')
    if (goal !== rule && !isTypeOnly) return false
    if (goal === 'network') return network.flat().includes(to)
    return to === goal || to.startsWith(goal.endsWith(':') ? goal : `${goal}/`)
  })
}

/** Libraries that belong together count as one. */
function scattered(libraries: readonly string[], imports: readonly Import[]): string[] {
  const files = new Set(imports.filter(({ to }) => libraries.includes(to)).map(({ from }) => from))
  const others = imports.filter(one => files.has(one.from) && one.isLibrary && !libraries.includes(one.to))
  return [
    ...(files.size === 1
      ? []
      : [`${libraries.join(' and ')}: imported in ${[...files].sort().join(', ') || 'no file'}`]),
    ...others.map(({ from, to }) => `${from} imports ${to} beside ${libraries.join(' and ')}`),
  ]
}

function ringThrough(file: string, imports: readonly Import[]): boolean {
  const reached = new Set<string>()
  const walk = (from: string): void => {
    for (const { to } of imports.filter(one => one.from === from)) {
      if (reached.has(to)) continue
      reached.add(to)
      walk(to)
    }
  }
  walk(file)
  return reached.has(file)
}

function readHouse(root: string): House {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  return new Map(files.map(file => [file.replaceAll('\\', '/'), readFileSync(path.join(root, file), 'utf8')]))
}

test('src keeps to the floors', () => {
  const house = readHouse(path.join(import.meta.dirname, '../src'))
  assert.equal(house.size > 30, true)
  const folders = new Set([...house.keys()].map(file => file.split('/')[0] ?? ''))
  assert.deepEqual([...folders].sort(), [...Object.keys(floors), ...roof].sort())
  assert.deepEqual(violations(house), [])
})

/** Source files without a test file of their own, by path or by the beginning of one. */
const untested = [
  // Types; and the flags, which `cli/commands.test.ts` reads.
  'cli/command.ts',
  'cli/flags.ts',
  'server/websocket/ports.ts',
  // The whole program; the tests of `test/e2e` run it.
  'main.ts',
  'app.ts',
  'administration.ts',
  // One upgrade; `server/listener.test.ts` and `upgrade/refusals.test.ts` make them.
  'server/upgrade/upgrade.ts',
  // Rows of options; `config/options.test.ts` reads all of them.
  'config/table/',
  // Rows of metrics; `ops/metrics.test.ts` reads all of them.
  'ops/metric-table.ts',
  // Names of actions; `ocpp/version.test.ts` holds them against the official schemas.
  'ocpp/actions.ts',
  // Texts and codes of faults; `ocpp/errors.test.ts` reads all of them.
  'ocpp/faults.ts',
  // Types alone.
  'http2/exchange.ts',
  'session/ports.ts',
  'session/transactions/outbox.ts',
  'session/entries.ts',
  'session/settings.ts',
  'session/app/rpc.ts',
  'session/auth/keys.ts',
  'admin/ports.ts',
  // Numbers; the tests of what has the limits read them.
  'admin/limits.ts',
  // Types.
  'admin/route.ts',
  // Rows of routes and of answers; `admin/open.test.ts` asks for all of them.
  'admin/console/answers.ts',
  'admin/console/routes.ts',
  // What draws in a browser; `e2e/console.test.ts` runs it in one.
  'console/main.ts',
  'console/net/',
  'console/pages/',
  'console/views/',
  'console/vendor/',
  // Types and defaults of the transports.
  'rpc/transport.ts',
  'rpc/grpc/settings.ts',
  // The thread of the store; `store/store.test.ts` runs it.
  'store/worker.ts',
]

test('a folder holds a dozen files at most', () => {
  const counts = new Map<string, number>()
  for (const file of readHouse(path.join(import.meta.dirname, '../src')).keys()) {
    const folder = path.posix.dirname(file)
    counts.set(folder, (counts.get(folder) ?? 0) + 1)
  }
  assert.deepEqual(
    [...counts].filter(([, count]) => count > 12),
    [],
  )
})

for (const folder of ['src', 'test', 'bin', 'bench']) {
  test(`no line of a comment in ${folder} has more than 120 columns`, () => {
    const long = [...readHouse(path.join(import.meta.dirname, '..', folder))].flatMap(([file, text]) =>
      text.split('\n').flatMap((line, at) => (isLongComment(line) ? [`${file}:${at + 1}`] : [])),
    )
    assert.deepEqual(long, [])
  })
}

const isLongComment = (line: string): boolean => line.length > 120 && /^\s*(?:\/\*|\*|\/\/)/.test(line)

/** [a line, whether it is a comment that is too long] */
const lines: readonly (readonly [line: string, isLong: boolean])[] = [
  [`/** ${'x'.repeat(117)} */`, true],
  [`   * ${'x'.repeat(116)}`, true],
  [`  // ${'x'.repeat(116)}`, true],
  [`   * ${'x'.repeat(115)}`, false],
  [`const text = '${'x'.repeat(120)}'`, false],
]
for (const [line, isLong] of lines) {
  test(`a line of ${line.length} columns that begins with ${line.trim().slice(0, 3)} is ${isLong ? '' : 'not '}refused`, () =>
    assert.equal(isLongComment(line), isLong))
}

const opensTwice = (text: string): boolean => /^\/\*\*\s*\/\*\*/.test(text)

test('no file of src begins with two openings of a comment', () => {
  const files = [...readHouse(path.join(import.meta.dirname, '../src'))].flatMap(([file, text]) =>
    opensTwice(text) ? [file] : [],
  )
  assert.deepEqual(files, [])
})

/** [the beginning of a file, whether it opens a comment twice] */
const beginnings: readonly (readonly [text: string, isTwice: boolean])[] = [
  ['/**\n/**\n * Pure.\n */\n', true],
  ['/** /** Pure. */\n', true],
  ['/**\n * Pure.\n */\n', false],
  ['/** Pure. */\n/** In ms. */\n', false],
]
for (const [text, isTwice] of beginnings) {
  test(`a file that begins with ${JSON.stringify(text)} is ${isTwice ? '' : 'not '}refused`, () =>
    assert.equal(opensTwice(text), isTwice))
}

test('each source file has a test file of the same path', () => {
  const sources = [...readHouse(path.join(import.meta.dirname, '../src')).keys()]
  const tests = new Set(readHouse(import.meta.dirname).keys())
  const expected = sources.filter(file => !untested.some(exception => file.startsWith(exception)))
  const missing = expected.map(file => file.replace(/\.ts$/, '.test.ts')).filter(file => !tests.has(file))
  assert.deepEqual(missing, [])
})

test('each exception from the rule of test files is a file of src, or the beginning of one', () => {
  const sources = [...readHouse(path.join(import.meta.dirname, '../src')).keys()]
  assert.deepEqual(
    untested.filter(exception => !sources.some(file => file.startsWith(exception))),
    [],
  )
})

/** A house in which all is well; each row adds one file, or replaces one. */
const sound: House = new Map([
  ['main.ts', "import { readFileSync } from 'node:fs'\nimport { open } from './app.ts'"],
  ['app.ts', "import { grpc } from './rpc/grpc/channel.ts'\nimport { Hub } from './fleet/hub.ts'"],
  ['ocpp/json.ts', ''],
  ['ocpp/frame.ts', "import { text } from './json.ts'"],
  ['cable/rpc.ts', ''],
  ['translate/commands.ts', "import { frame } from '../ocpp/frame.ts'\nimport type { A } from '../cable/rpc.ts'"],
  ['session/ports.ts', "import type { Meter } from '../ops/metrics.ts'"],
  ['fleet/hub.ts', "import { a } from '../translate/commands.ts'\nimport type { Rpc } from '../session/ports.ts'"],
  ['ops/metrics.ts', "import { Counter } from 'prom-client'"],
  ['ops/log.ts', "import { pino } from 'pino'"],
  ['http2/frames.ts', ''],
  ['http2/socket.ts', "import { connect } from 'node:net'\nimport { a } from './frames.ts'"],
  ['rpc/grpc/channel.ts', "import { connect } from '../../http2/socket.ts'\nimport dns from 'node:dns'"],
  ['rpc/grpc-js/channel.ts', "import grpc from '@grpc/grpc-js'\nimport type { A } from '../../cable/rpc.ts'"],
  ['broadcast/nats.ts', "import { connect } from 'nats'\nimport type { Deliver } from './http.ts'"],
  ['broadcast/http.ts', "import { createHash } from 'node:crypto'\nimport { listen } from '../ops/metrics.ts'"],
  ['server/socket.ts', "import { WebSocket } from 'ws'\nimport type { StationSocket } from '../session/ports.ts'"],
  ['validation/schemas.ts', "import { Ajv } from 'ajv'\nimport formats from 'ajv-formats'"],
  ['store/database.ts', "import { DatabaseSync } from '@photostructure/sqlite'\nimport path from 'node:path'"],
  ['ops/reporting/traces.ts', "import('@opentelemetry/api')\nimport('@opentelemetry/sdk-node')"],
  ['config/sources.ts', "import { parse } from 'smol-toml'\nimport { versions } from '../ocpp/frame.ts'"],
])

const broken: readonly (readonly [string, string, readonly string[], string])[] = [
  [
    'ocpp/x.ts',
    "import { a } from '../cable/rpc.ts'",
    ['ocpp/x.ts imports cable/rpc.ts'],
    'floor 0 imports its own folder only',
  ],
  ['cable/x.ts', "import type { a } from '../ocpp/json.ts'", ['cable/x.ts imports ocpp/json.ts'], 'types included'],
  [
    'ocpp/x.ts',
    "import { a } from '../translate/commands.ts'",
    ['ocpp/x.ts imports translate/commands.ts'],
    'lower imports higher',
  ],
  ['http2/x.ts', "import { a } from '../cable/rpc.ts'", ['http2/x.ts imports cable/rpc.ts'], 'HTTP/2 knows no RPC'],
  ['http2/x.ts', "import { a } from 'node:net'", ['http2/x.ts imports node:net'], 'one file alone goes to the network'],
  ['ocpp/x.ts', "import { a } from 'node:crypto'", ['ocpp/x.ts imports node:crypto'], 'floor 0 is pure'],
  ['translate/x.ts', "import { a } from 'node:buffer'", ['translate/x.ts imports node:buffer'], 'so is floor 1'],
  [
    'translate/x.ts',
    "import type { a } from '../session/ports.ts'",
    ['translate/x.ts imports session/ports.ts'],
    'lower imports higher, a type',
  ],
  [
    'translate/x.ts',
    "import type { a } from '../ops/log.ts'",
    ['translate/x.ts imports ops/log.ts'],
    'no log in the middle',
  ],
  [
    'session/x.ts',
    "import { a } from '../ops/metrics.ts'",
    ['session/x.ts imports ops/metrics.ts'],
    'a station takes types of ops, no values',
  ],
  [
    'session/x.ts',
    "import { type a } from '../ops/metrics.ts'",
    ['session/x.ts imports ops/metrics.ts'],
    'which still runs the file',
  ],
  [
    'session/x.ts',
    "import { a } from '../fleet/hub.ts'",
    ['session/x.ts imports fleet/hub.ts'],
    'one station knows no other',
  ],
  ['fleet/x.ts', "import { a } from 'node:net'", ['fleet/x.ts imports node:net'], 'the fleet knows no network'],
  [
    'session/x.ts',
    "import { a } from '../rpc/grpc/channel.ts'",
    ['session/x.ts imports rpc/grpc/channel.ts'],
    'lower imports higher',
  ],
  ['session/x.ts', "import { a } from 'node:http'", ['session/x.ts imports node:http'], 'a station knows no network'],
  [
    'rpc/x.ts',
    "import { a } from '../server/socket.ts'",
    ['rpc/x.ts imports server/socket.ts'],
    'edges do not know each other',
  ],
  [
    'server/x.ts',
    "import { a } from '../fleet/hub.ts'",
    ['server/x.ts imports fleet/hub.ts'],
    'an edge knows the session’s ports, not the fleet',
  ],
  [
    'server/x.ts',
    "import type { a } from '../config/sources.ts'",
    ['server/x.ts imports config/sources.ts'],
    'the roof is above the edges',
  ],
  [
    'console/x.ts',
    "import type { A } from '../admin/answers.ts'\nimport { a } from '../admin/routes.ts'",
    ['console/x.ts imports admin/routes.ts'],
    'a browser takes types of the admin API, no code',
  ],
  ['console/x.ts', "import { a } from 'node:url'", ['console/x.ts imports node:url'], 'a browser is not Node'],
  [
    'console/x.ts',
    "import { html } from 'lit-html'",
    ['console/x.ts imports lit-html'],
    'a browser knows no package names',
  ],
  [
    'admin/x.ts',
    "import { a } from '../console/x.ts'",
    ['admin/x.ts imports console/x.ts'],
    'nor does the bridge run it',
  ],
  ['broadcast/x.ts', "import { a } from '../app.ts'", ['broadcast/x.ts imports app.ts'], 'all of it'],
  [
    'ops/x.ts',
    "import type { a } from '../session/ports.ts'",
    ['ops/x.ts imports session/ports.ts'],
    'ops knows no station, not even its types',
  ],
  [
    'config/x.ts',
    "import { a } from '../fleet/hub.ts'",
    ['config/x.ts imports fleet/hub.ts'],
    'options know no station',
  ],
  ['other/x.ts', "import { a } from '../ocpp/json.ts'", ['other/x.ts imports ocpp/json.ts'], 'a folder on no floor'],
  ['rpc/x.ts', "import a from 'lodash'", ['rpc/x.ts imports lodash'], 'a library that nobody has listed'],
  [
    'rpc/x.ts',
    "import { a } from 'nats'",
    ['nats: imported in broadcast/nats.ts, rpc/x.ts'],
    'a network library in a second file',
  ],
  [
    'rpc/grpc/x.ts',
    "import { a } from '../../server/socket.ts'",
    ['rpc/grpc/x.ts imports server/socket.ts'],
    'a folder in a floor keeps to it',
  ],
  ['server/socket.ts', '', ['ws: imported in no file'], 'a library that nobody uses'],
  [
    'app.ts',
    "import { pino } from 'pino'",
    ['app.ts imports pino', 'pino: imported in app.ts, ops/log.ts'],
    'the roof goes through the edges',
  ],
  [
    'server/socket.ts',
    "import { WebSocket } from 'ws'\nimport { Counter } from 'prom-client'",
    [
      'server/socket.ts imports prom-client beside ws',
      'prom-client: imported in ops/metrics.ts, server/socket.ts',
      'server/socket.ts imports ws beside prom-client',
    ],
    'two libraries in a file',
  ],
  [
    'ocpp/json.ts',
    "import type { Frame } from './frame.ts'",
    ['ocpp/json.ts is in a ring', 'ocpp/frame.ts is in a ring'],
    'a ring of two, by a type',
  ],
  [
    'ops/metrics.ts',
    "import { Counter } from 'prom-client'\nexport type { Rpc } from '../session/ports.ts'",
    ['ops/metrics.ts imports session/ports.ts', 'session/ports.ts is in a ring', 'ops/metrics.ts is in a ring'],
    'a ring through two folders',
  ],
  [
    'ocpp/x.ts',
    "export const a = () => import('../cable/rpc.ts')",
    ['ocpp/x.ts imports cable/rpc.ts'],
    'a dynamic import',
  ],
  [
    'ocpp/x.ts',
    "export * from '../cable/rpc.ts'",
    ['ocpp/x.ts imports cable/rpc.ts'],
    'what is exported from elsewhere',
  ],
  [
    'ocpp/x.ts',
    "export type A = import('../cable/rpc.ts').A",
    ['ocpp/x.ts imports cable/rpc.ts'],
    'a type by its import',
  ],
  ['ocpp/x.ts', "import '../cable/rpc.ts'", ['ocpp/x.ts imports cable/rpc.ts'], 'an import of nothing'],
]
for (const [file, text, expected, because] of broken) {
  test(`${file} with ${JSON.stringify(text)} breaks the floors: ${because}`, () => {
    assert.deepEqual(violations(new Map([...sound, [file, text]])), expected)
  })
}

test('a sound house breaks nothing', () => {
  assert.deepEqual(violations(sound), [])
})
