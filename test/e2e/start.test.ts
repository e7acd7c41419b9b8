/**
 * The start of the program as an operator sees it: each problem is one line.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openBridge, program, programEnv } from '../support/bridge.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, run, type Result } from '../support/process.ts'
import { openRawStation, openStation } from '../support/station.ts'

let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-start-'))
})

after(() => rm(folder, { recursive: true }))

/** Runs the program to its end in an empty folder. */
function runProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  return run(process.execPath, [program, ...args], { cwd: folder, env: programEnv(env) })
}

const lastLine = 'Nothing was started. See --help.'

/** The problems that it prints when its options prevent the start. */
async function problemsOf(...args: Parameters<typeof runProgram>): Promise<string[]> {
  const { code, stdout, stderr } = await runProgram(...args)
  assert.equal(code, 1)
  assert.equal(stdout, '')
  const lines = stderr.trimEnd().split('\n')
  assert.equal(lines.pop(), lastLine)
  return lines
}

/** The one error line of the log when opening a part fails. */
async function failureOf(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram([
    '--log_format=json',
    `--http_broadcast_port=${await freePort()}`,
    ...args,
  ])
  assert.equal(code, 1)
  assert.equal(stderr, '')
  const lines = stdout.trimEnd().split('\n')
  const said = lines.map(line => JSON.parse(line) as { level: string; msg: string; error?: string })
  const errors = said.filter(({ level }) => level === 'ERROR')
  assert.equal(errors.length, 1, stdout)
  assert.ok(!said.some(({ msg }) => msg.startsWith('Handle OCPP')), stdout)
  return errors[0]?.error ?? ''
}

/** Occupies a port until the test ends. */
async function takePort(): Promise<{ port: number; close: () => unknown }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

/** Makes a certificate for 127.0.0.1; resolves with its path and that of its key. */
async function makeCertificate(name: string, ...key: readonly string[]): Promise<{ cert: string; key: string }> {
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) }
  const made = await run('openssl', [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/O=Operator/CN=${name}`],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-newkey', ...key],
    ...['-keyout', files.key, '-out', files.cert],
  ])
  assert.equal(made.code, 0, made.stderr)
  return files
}

const makeRsa = (name: string) => makeCertificate(name, 'rsa:2048')
const makeEc = (name: string) => makeCertificate(name, 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')

describe('a start with invalid options', { concurrency: 2, timeout: 120_000 }, () => {
  test('fails with a suggestion when a flag is unknown', async () => {
    assert.deepEqual(await problemsOf(['--ocpp_chanel=EvChannel']), [
      '--ocpp_chanel: unknown flag; did you mean --ocpp_channel?',
    ])
  })

  test('prints a line for each problem in flags, environment and file', async () => {
    const file = join(folder, 'wrong.toml')
    await writeFile(file, '[ocpp]\nversions = "1.5"\nchanel = "OCPPChannel"\n')
    const env = { ANYCABLE_OCPP_CALL_TIMEOUT: 'soon', ANYCABLE_BROADCAST_KEY: 's3cret' }
    const flags = ['--port=70000', '--ocpp_path', 'ocpp', '--metrics_http=/metrics', '--ssl_cert=a.pem', '--foo']
    const problems = await problemsOf([`--config-path=${file}`, ...flags], env)
    const expected = [
      /^ocpp\.chanel in \/.*\/wrong\.toml: unknown key; did you mean ocpp\.channel\?$/,
      /^ocpp\.versions in \/.*\/wrong\.toml: invalid value "1\.5"; expected .*1\.6 or 2\.0\.1 or 2\.1/,
      /^ANYCABLE_OCPP_CALL_TIMEOUT: invalid value "soon"; expected a duration/,
      /^--port: invalid value "70000"; expected a whole number, from 0 to 65535$/,
      /^--ocpp_path: invalid value "ocpp"; expected a path that starts with \/$/,
      /^--foo: unknown flag/,
      /^metrics_http is set, but metrics_port is not: set it/,
      /^ssl_cert names 1 and ssl_key 0 files: give one key for each certificate/,
    ]
    for (const pattern of expected)
      assert.ok(
        problems.some(line => pattern.test(line)),
        `${pattern}\n${problems.join('\n')}`,
      )
    assert.equal(problems.length, expected.length, problems.join('\n'))
    assert.doesNotMatch(problems.join('\n'), /s3cret/)
  })

  test('fails when the file is missing or not TOML', async () => {
    const missing = join(folder, 'missing.toml')
    const [line = '', ...more] = await problemsOf([`--config-path=${missing}`])
    assert.ok(line.startsWith(`${missing}: `) && line.includes('no such file'), line)
    assert.deepEqual(more, [])
    const broken = join(folder, 'broken.toml')
    await writeFile(broken, 'port = 8080\nhost =\n')
    const [where = '', ...others] = await problemsOf([`--config-path=${broken}`])
    assert.ok(where.startsWith(`${broken}: line 2, column `), where)
    assert.deepEqual(others, [])
  })
})

describe('a start without what it needs', { concurrency: 2, timeout: 120_000 }, () => {
  test('fails when the certificate is missing', async () => {
    const { key } = await makeRsa('lonely')
    const missing = join(folder, 'missing.crt')
    const error = await failureOf(['--port=0', `--ssl_cert=${missing}`, `--ssl_key=${key}`])
    assert.ok(error.includes(missing) && error.includes('ssl_cert'), error)
  })

  test('fails when the key of a certificate is missing', async () => {
    const { cert } = await makeRsa('keyless')
    const missing = join(folder, 'missing.key')
    const error = await failureOf(['--port=0', `--ssl_cert=${cert}`, `--ssl_key=${missing}`])
    assert.ok(error.includes(missing) && error.includes('ssl_key'), error)
  })

  test('fails with the name of the file when it is not a certificate', async () => {
    const { key } = await makeRsa('nonsense')
    const cert = join(folder, 'nonsense.txt')
    await writeFile(cert, 'nonsense')
    const error = await failureOf(['--port=0', `--ssl_cert=${cert}`, `--ssl_key=${key}`])
    assert.ok(error.includes(cert) && error.includes('ssl_cert'), error)
  })

  for (const option of ['ssl_cert', 'ssl_key', 'ocpp_auth_file']) {
    test(`fails at once with the name of the file when ${option} is a FIFO`, async () => {
      const fifo = join(folder, `${option}.fifo`)
      await run('mkfifo', [fifo])
      const { cert, key } = await makeEc(`beside-${option}`)
      const files = { ssl_cert: cert, ssl_key: key, [option]: fifo }
      const flags = Object.entries(files).map(([name, file]) => `--${name}=${file}`)
      const error = await failureOf(['--port=0', ...flags])
      assert.equal(error, `${option}: ${fifo} cannot be read: it is not a regular file`)
    })
  }

  test('fails with the names of the files when the key belongs to another certificate', async () => {
    const [{ cert }, { key }] = [await makeRsa('one'), await makeRsa('other')]
    const error = await failureOf(['--port=0', `--ssl_cert=${cert}`, `--ssl_key=${key}`])
    assert.ok(error.includes(cert) && error.includes(key), error)
  })

  for (const [whose, option, flags] of [
    ['stations', 'port', []],
    ['metrics', 'metrics_port', ['--port=0', '--metrics_http=/metrics']],
    ['broadcasts', 'http_broadcast_port', ['--port=0']],
  ] as const) {
    test(`fails with the name of the option when the port for ${whose} is in use`, async t => {
      const { port, close } = await takePort()
      t.after(close)
      const error = await failureOf([...flags, `--${option}=${port}`])
      assert.ok(error.includes(`127.0.0.1:${port}`), error)
      assert.match(error, new RegExp(`\\b${option}\\b`))
    })
  }

  test('fails with action, version and field when a silent answer violates a schema', async () => {
    const toml = join(folder, 'answers.toml')
    await writeFile(toml, '[ocpp_silent_answers]\nDataTransfer = { status = "Perhaps" }\n')
    const error = await failureOf(['--port=0', `--config-path=${toml}`, '--ocpp_versions=1.6'])
    assert.equal(error, 'ocpp_silent_answers.DataTransfer: not a valid answer in OCPP 1.6: /status: enum')
  })

  test('succeeds and warns once with the address and the remedy when the app is not there', async t => {
    const rpcPort = await freePort()
    const bridge = await openBridge([`--rpc_host=127.0.0.1:${rpcPort}`])
    t.after(() => bridge.close())
    const { level, msg } = await bridge.logged(/does not answer/)
    assert.deepEqual(
      [level, msg],
      [
        'WARN',
        `the app does not answer at 127.0.0.1:${rpcPort}: start it with \`bundle exec anycable\`, or set --rpc_host`,
      ],
    )
    assert.equal((await bridge.get('/health')).status, 200)
    assert.equal((await bridge.get('/ready')).status, 503)
  })
})

/** [flags, what the line says] */
const rpcRows: readonly (readonly [readonly string[], RegExp])[] = [
  [['--rpc_concurrency=0'], /: localhost:50051 \(concurrency: auto \(initial=25, min=5, max=100\), impl: grpc, /],
  [['--rpc_concurrency=7', '--rpc_impl=grpc-js'], /concurrency: 7, impl: grpc-js, enable_tls: false, /],
  [['--rpc_host=https://app.example'], /: https:\/\/app\.example \(concurrency: 28, impl: http, enable_tls: true, /],
]
for (const [flags, line] of rpcRows) {
  test(`logs how it calls the app with ${flags.join(' ')}`, async t => {
    const bridge = await openBridge(flags)
    t.after(() => bridge.close())
    assert.match((await bridge.logged(/RPC controller initialized/)).msg, line)
  })
}

describe('the command line', { concurrency: 2, timeout: 120_000 }, () => {
  test('prints the version with --version', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as object
    const version = 'version' in manifest ? String(manifest.version) : ''
    for (const flag of ['--version', '-v']) {
      assert.deepEqual(await runProgram([flag]), { code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
    }
  })

  test('prints the help with --help even beside an invalid option', async () => {
    const { code, stdout, stderr } = await runProgram(['--help', '--port=x'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^Usage: ocpp-cable /)
    for (const flag of ['--ocpp_channel', '--rpc_host', '--nats_servers', '--ssl_cert', '--print-config']) {
      assert.match(stdout, new RegExp(`^  ${flag}\\b`, 'm'))
    }
    assert.ok(stdout.split('\n').every(line => line.length <= 100))
  })

  test('prints a configuration with --print-config that --config-path reads back', async () => {
    const file = join(folder, 'some.toml')
    await writeFile(file, '[server]\nport = 9999\n[ocpp]\nchannel = "FromFile"\nversions = ["2.0.1"]\n')
    const env = { ANYCABLE_OCPP_CHANNEL: 'FromEnv', ANYCABLE_OCPP_CALL_TIMEOUT: '1500ms', ANYCABLE_SECRET: 's3cret' }
    const flags = [
      `--config-path=${file}`,
      '--node_id=n1',
      '--ocpp_call_timeout=7',
      '--nats_servers=nats://a:4222,nats://b',
      '--debug',
    ]
    const first = await runProgram([...flags, '--print-config'], env)
    assert.deepEqual([first.code, first.stderr], [0, ''])
    for (const [pattern, because] of [
      [/^port = 9999$/m, 'of the file alone'],
      [/^channel = "FromEnv"$/m, 'the environment before the file'],
      [/^call_timeout = "7s"$/m, 'a flag before the environment, a bare number in seconds'],
      [/^versions = \[ ?"2\.0\.1" ?\]$/m, 'a list'],
      [/nats:\/\/a:4222.*nats:\/\/b/, 'a list of a flag'],
    ] as const) {
      assert.match(first.stdout, pattern, because)
    }
    assert.doesNotMatch(first.stdout, /s3cret/)

    const printed = join(folder, 'printed.toml')
    await writeFile(printed, first.stdout)
    const again = await runProgram([`--config-path=${printed}`, '--print-config'], { ANYCABLE_SECRET: 's3cret' })
    assert.deepEqual(again, first)
  })

  test('reads ./ocpp-cable.toml when it exists', async () => {
    const own = join(folder, 'ocpp-cable.toml')
    await writeFile(own, 'server.port = 9998\n')
    const [read, ignored] = [
      await runProgram(['--print-config']),
      await runProgram(['--print-config', '--ignore-config-path']),
    ]
    await rm(own)
    assert.match(read.stdout, /^port = 9998$/m)
    assert.match(ignored.stdout, /^port = 8080$/m)
  })
})

describe('TLS', { timeout: 120_000 }, () => {
  for (const [kind, make] of [
    ['RSA', makeRsa],
    ['ECDSA', makeEc],
  ] as const) {
    test(`a station that trusts the ${kind} certificate connects and gets answers`, async t => {
      const { cert, key } = await make(`${kind}-alone`)
      const bridge = await openBridge([`--ssl_cert=${cert}`, `--ssl_key=${key}`, '--rpc_command_timeout=100ms'])
      t.after(() => bridge.close())
      assert.match(bridge.url, /^wss:/)
      const station = await openStation(bridge.url, 'CP01', { ca: await readFile(cert, 'utf8') })
      t.after(() => station.close())
      assert.equal(typeof (await station.call('Heartbeat'))['currentTime'], 'string')
      await assert.rejects(openStation(bridge.url, 'CP02'), /self-signed/)
      await assert.rejects(openStation(bridge.url.replace('wss:', 'ws:'), 'CP03'))
    })
  }

  test('an RSA and an ECDSA certificate are served side by side', async t => {
    const [rsa, ec] = [await makeRsa('both-rsa'), await makeEc('both-ec')]
    const flags = [`--ssl_cert=${rsa.cert},${ec.cert}`, `--ssl_key=${rsa.key},${ec.key}`, '--rpc_command_timeout=100ms']
    const bridge = await openBridge(flags)
    t.after(() => bridge.close())
    // The suites that OCPP requires (2.0.1 Part 2 A00.FR.317 and 318), and one that is too old.
    for (const [suite, version, subject] of [
      ['ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2', 'both-ec'],
      ['ECDHE-ECDSA-AES256-GCM-SHA384', '-tls1_2', 'both-ec'],
      ['AES128-GCM-SHA256', '-tls1_2', 'both-rsa'],
      ['AES256-GCM-SHA384', '-tls1_2', 'both-rsa'],
      ['ECDHE-RSA-AES128-SHA', '-tls1_1', null],
    ] as const) {
      const flags = ['s_client', '-connect', `127.0.0.1:${bridge.port}`, '-cipher', `${suite}:@SECLEVEL=0`, version]
      const { stdout } = await run('openssl', flags)
      const [, found] = /^subject=.*CN ?= ?(\S+)$/m.exec(stdout) ?? [null, null]
      assert.equal(found, subject, `${suite}\n${stdout}`)
    }
  })
})

test('the log level is read again on SIGHUP, and stays when the file is broken', { timeout: 60_000 }, async t => {
  const config = join(folder, 'level.toml')
  await writeFile(config, '[logging]\nlevel = "info"\n')
  const bridge = await openBridge(['--ignore-config-path=false', `--config-path=${config}`])
  t.after(() => bridge.close())
  const station = await openRawStation(bridge.url, 'CP1')
  t.after(() => station.close())
  const reload = async (toml: string): Promise<number> => {
    await writeFile(config, toml)
    const from = bridge.process.lines.length
    bridge.process.signal('SIGHUP')
    await bridge.process.line(/log_level/, from)
    return from
  }
  const isTraced = async (id: string, from: number): Promise<boolean> => {
    await station.call(id, 'Heartbeat')
    return bridge.process.lines.slice(from).some(line => line.includes('"msg":"received"'))
  }
  assert.equal(await isTraced('h1', 0), false)
  const debug = await reload('[logging]\nlevel = "debug"\n')
  assert.equal(await isTraced('h2', debug), true)
  const broken = await reload('[logging]\nlevel = "loud"\n')
  assert.match(await bridge.process.line(/could not reload/, broken), /logging.level in .*: invalid value/)
  assert.equal(await isTraced('h3', broken), true)
  const info = await reload('[logging]\nlevel = "info"\n')
  assert.equal(await isTraced('h4', info), false)
  assert.ok(!bridge.log().some(({ msg }) => /Shutting down/.test(msg)))
  assert.deepEqual(await bridge.kill('SIGTERM'), { code: 0, signal: null })
})

/** Makes the program wait for a pipe before it loads its modules. */
function waitingFor(pipe: string): string {
  const hook = `import { readFile } from 'node:fs/promises'
    export async function load(url, context, next) {
      if (url.endsWith('/dist/main.js')) await readFile(${JSON.stringify(pipe)})
      return next(url, context)
    }`
  const script = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))})`
  return dataUrl(script)
}

const dataUrl = (script: string): string => `data:text/javascript,${encodeURIComponent(script)}`

for (const [when, argsFor] of [
  ['while its modules load', (pipe: string) => ['--import', waitingFor(pipe), program, '--version']],
  ['while it reads its configuration', (pipe: string) => [program, '--print-config', `--config-path=${pipe}`]],
] as const) {
  test(`the program starts all the same when it receives SIGHUP ${when}`, { timeout: 60_000 }, async t => {
    const pipe = join(folder, when.replaceAll(' ', '-'))
    await run('mkfifo', [pipe])
    const starting = openProcess(process.execPath, argsFor(pipe), { cwd: folder, env: programEnv() })
    t.after(() => starting.close())
    // A pipe opens for writing once the program opens it for reading.
    const writer = openProcess('sh', ['-c', 'exec 3> "$0"; echo reading; exec sleep 60', pipe])
    t.after(() => writer.close())
    await writer.line(/reading/)
    starting.signal('SIGHUP')
    await writer.close()
    assert.deepEqual(await starting.exited, { code: 0, signal: null })
    assert.notEqual(starting.output, '')
  })
}
