/**
 * "Add it to a Rails app" of the README, word for word: a new app, its files, both programs, and a charge in SQLite.
 * Then what other pages add to that app. Only ports are replaced, so that the programs do not meet others on this
 * machine.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openNewAppFolder, type NewAppFolder } from '../support/new-app.ts'
import { blocksOf, type Block } from '../support/pages.ts'
import { freePort } from '../support/ports.ts'
import { openProcess, run, type Process } from '../support/process.ts'
import { openStation, type Payload, type Station } from '../support/station.ts'

type Booking = { readonly id: number; readonly key: string; readonly station: string; readonly action: string }

const root = fileURLToPath(new URL('../..', import.meta.url))
const blocks = blocksOf('README.md', 'Add it to a Rails app')
const [broadcast] = blocks.filter(({ text }) => text.includes('OCPPChannel.broadcast_to'))
const [bridgeLine] = blocks.filter(({ text }) => text.includes('bin/ocpp-cable')).map(({ text }) => lastLine(text))

const scratch = await mkdtemp(join(tmpdir(), 'ocpp-cable-rails-new-'))
const opened: { close(): Promise<void> }[] = []
let folder: NewAppFolder
let app = scratch
let rails: Process
let bridge: Process
let railsPort: number
let stationsPort: number

before(async () => {
  folder = await openNewAppFolder(scratch)
  ;[railsPort, stationsPort] = [await freePort(), await freePort()]
  for (const block of blocks.filter(one => one !== broadcast && one.language !== 'console')) await follow(block)
})
after(async () => {
  for (const part of opened.reverse()) await part.close()
  await rm(scratch, { recursive: true, force: true })
})

/** Does what a block says: saves a file, or runs the lines of a shell. */
async function follow({ language, text, file }: Block): Promise<void> {
  if (file !== undefined) {
    mkdirSync(dirname(join(app, file)), { recursive: true })
    writeFileSync(join(app, file), text)
    return
  }
  assert.equal(language, 'sh', text)
  for (const line of text.trim().split('\n')) await type(line)
}

async function type(line: string): Promise<void> {
  const [, name] = /^cd (\S+)$/.exec(line) ?? []
  if (name !== undefined) app = join(app, name)
  else if (/^npm (ci|run build)$/.test(line))
    return // run by readme.test.ts; here the program is built already
  else if (line.endsWith('bin/rails server')) rails = await openRailsServer(line)
  else if (line.includes('bin/ocpp-cable')) bridge = await openBridgeBy(line)
  else await assertRuns(line)
}

async function assertRuns(line: string): Promise<void> {
  const [, name] = /^rails new (\S+)/.exec(line) ?? []
  if (name !== undefined) folder.pinGems(join(app, name))
  if (line.startsWith('bundle ')) folder.pinGems(app)
  const { code, stdout, stderr } = await run('bash', ['-c', line], { cwd: app, env: appEnv() })
  assert.equal(code, 0, `${line}\n${stdout}${stderr}`)
}

const appEnv = () => ({
  ...folder.env,
  PORT: String(railsPort),
  ANYCABLE_HTTP_BROADCAST_URL: `http://localhost:${stationsPort}/_broadcast`,
})

function open(line: string, options: { cwd: string; env: Readonly<Record<string, string | undefined>> }): Process {
  const process = openProcess('bash', ['-c', line.replace(/^((?:\w+=\S+ )*)/, 'exec env $1')], options)
  opened.push(process)
  return process
}

async function openRailsServer(line: string): Promise<Process> {
  const server = open(line, { cwd: app, env: appEnv() })
  await server.line(/Listening on/)
  // The first call loads the app, which takes longer on a slow machine than the bridge waits.
  await rpc('connect', { env: { url: 'http://localhost/ocpp/first', headers: {} } })
  return server
}

async function openBridgeBy(line: string): Promise<Process> {
  const env = { ...folder.env, ANYCABLE_PORT: String(stationsPort) }
  const program = open(line.replace('localhost:3000', `localhost:${railsPort}`), { cwd: root, env })
  await program.line(/Handle OCPP/)
  return program
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

async function bookings(): Promise<Booking[]> {
  const script = 'puts Booking.order(:id).to_json'
  const { stdout, stderr } = await run('bin/rails', ['runner', script], { cwd: app, env: appEnv() })
  assert.match(stdout, /^\[/m, stderr)
  return JSON.parse(stdout.slice(stdout.indexOf('['))) as Booking[]
}

/** How often the app ran an action, by its log. */
const performsOf = (action: string): number =>
  rails.lines.filter(line => line.includes(`OCPPChannel#${action}(`)).length

async function plugIn(version: 'ocpp1.6' | 'ocpp2.0.1'): Promise<Station> {
  return openStation(`ws://localhost:${stationsPort}/ocpp`, 'CP01', { version })
}

/** Says everything twice, as a station does that missed the answers: its client gives the retry an id of its own. */
async function twice(station: Station, action: string, payload: Payload): Promise<Payload> {
  const first = await station.call(action, payload)
  assert.deepEqual(await station.call(action, payload), first, action)
  return first
}

const at = (minute: number): string => new Date(Date.UTC(2026, 0, 2, 3, minute)).toISOString()

/** A whole charge of 1.6; resolves with the answer to its start. */
async function charge16(station: Station): Promise<Payload> {
  const start = { connectorId: 1, idTag: 'TAG1', meterStart: 100, timestamp: at(0) }
  const started = await twice(station, 'StartTransaction', start)
  const { transactionId } = started
  const meterValue = [{ timestamp: at(1), sampledValue: [{ value: '150' }] }]
  assert.deepEqual(await twice(station, 'MeterValues', { connectorId: 1, transactionId, meterValue }), {})
  const stop = { transactionId, idTag: 'TAG1', meterStop: 200, timestamp: at(2) }
  assert.deepEqual(await twice(station, 'StopTransaction', stop), {})
  return started
}

/** A whole charge of 2.0.1. */
async function charge201(station: Station): Promise<void> {
  const event = (eventType: string, triggerReason: string, seqNo: number, more: Payload) => ({
    eventType,
    triggerReason,
    seqNo,
    timestamp: at(10 + seqNo),
    transactionInfo: { transactionId: 'T-1' },
    evse: { id: 1, connectorId: 1 },
    meterValue: [{ timestamp: at(10 + seqNo), sampledValue: [{ value: 100 + seqNo }] }],
    ...more,
  })
  const idToken = { idToken: 'TAG1', type: 'ISO14443' }
  const started = await twice(station, 'TransactionEvent', event('Started', 'Authorized', 0, { idToken }))
  assert.deepEqual(started, { idTokenInfo: { status: 'Accepted' } })
  assert.deepEqual(await twice(station, 'TransactionEvent', event('Updated', 'MeterValuePeriodic', 1, {})), {})
  assert.deepEqual(await twice(station, 'TransactionEvent', event('Ended', 'EVDeparted', 2, {})), {})
}

async function restartBridge(): Promise<Process> {
  bridge.signal('SIGKILL')
  await bridge.exited
  return openBridgeBy(bridgeLine ?? '')
}

const money16 = ['StartTransaction', 'MeterValues', 'StopTransaction']
const money201 = ['TransactionEvent', 'TransactionEvent', 'TransactionEvent']

test('a new app books a charge of each version once, and a retry at a restarted bridge finds the same rows', async () => {
  const old = await plugIn('ocpp1.6')
  const boot = await old.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  assert.deepEqual([boot['status'], boot['interval']], ['Accepted', 300])
  await old.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Available' })
  assert.deepEqual(await old.call('Authorize', { idTag: 'TAG1' }), { idTagInfo: { status: 'Accepted' } })
  assert.deepEqual(await old.call('Authorize', { idTag: 'STOLEN' }), { idTagInfo: { status: 'Invalid' } })
  const started = await charge16(old)
  assert.deepEqual(started, { transactionId: 1, idTagInfo: { status: 'Accepted' } })
  await old.close()

  const modern = await plugIn('ocpp2.0.1')
  const chargingStation = { vendorName: 'V', model: 'M' }
  assert.equal((await modern.call('BootNotification', { reason: 'PowerUp', chargingStation }))['status'], 'Accepted')
  const status = { timestamp: at(9), connectorStatus: 'Available', evseId: 1, connectorId: 1 }
  await modern.call('StatusNotification', status)
  const idToken = { idToken: 'STOLEN', type: 'ISO14443' }
  assert.deepEqual(await modern.call('Authorize', { idToken }), { idTokenInfo: { status: 'Invalid' } })
  await charge201(modern)
  await modern.close()

  const booked = await bookings()
  assert.deepEqual(
    booked.map(({ action }) => action),
    [...money16, ...money201],
  )
  assertNoWarnings()

  bridge = await restartBridge() // which forgets the answers: the app is asked again
  const back = await plugIn('ocpp1.6')
  assert.deepEqual(await charge16(back), started)
  await back.close()
  const modernBack = await plugIn('ocpp2.0.1')
  await charge201(modernBack)
  await modernBack.close()
  for (const action of ['start_transaction', 'stop_transaction']) assert.equal(performsOf(action), 2, action)
  assert.equal(performsOf('transaction_event'), 6)
  assert.deepEqual(await bookings(), booked)
  assertNoWarnings()
})

test('the broadcast of the README reaches the station, and its answer the app', async () => {
  const station = await plugIn('ocpp1.6')
  station.answers('Reset', () => ({ status: 'Accepted' }))
  await station.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  await type(lastLine(broadcast?.text ?? ''))
  await rails.line(/Reset was answered: \{"status"=>"Accepted"\}/)
  await station.close()
  assertNoWarnings()
})

test('a station that the app does not know is rejected', async () => {
  const stranger = await openStation(`ws://localhost:${stationsPort}/ocpp`, 'CP02', {})
  const boot = await stranger.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  assert.equal(boot['status'], 'Rejected')
  assert.equal((await stranger.closed).code, 1008)
})

test('the check of existing-app.md says that the secret protects the RPC path', async () => {
  const [check] = blocksOf('docs/start/existing-app.md').filter(({ language }) => language === 'sh')
  assert.match(await outputOf(check?.text ?? '', railsPort), /^HTTP\/1\.1 401 /)
})

test('a production app with the exemption of existing-app.md does not redirect the bridge', async () => {
  const [file, check] = ['ruby', 'sh'].map(kind =>
    blocksOf('docs/start/existing-app.md').find(({ language }) => language === kind),
  )
  const port = await freePort()
  const production = { RAILS_ENV: 'production', SECRET_KEY_BASE: 'x'.repeat(64), ANYCABLE_SECRET: 'change-me' }
  const serve = async () => {
    const env = { ...appEnv(), ...production, PORT: String(port), PIDFILE: undefined }
    const server = openProcess('bin/rails', ['server', '--pid', join(scratch, 'production.pid')], { cwd: app, env })
    opened.push(server)
    await server.line(/Listening on/)
    return server
  }
  const redirecting = await serve()
  assert.match(await outputOf(check?.text ?? '', port), /^HTTP\/1\.1 30[1278] /)
  await redirecting.close()
  if (file !== undefined) await follow(file)
  const exempting = await serve()
  assert.match(await outputOf(check?.text ?? '', port), /^HTTP\/1\.1 401 /)
  await exempting.close()
})

test('the database.yml of database.md sets the busy timeout and takes the lock at the begin', async () => {
  const [file] = blocksOf('docs/how-to/database.md').filter(block => block.file !== undefined)
  if (file !== undefined) await follow(file)
  const script = `Booking.count
    raw = ActiveRecord::Base.connection.raw_connection
    puts [raw.get_first_value("PRAGMA busy_timeout"), raw.instance_variable_get(:@default_transaction_mode)].inspect`
  const { stdout, stderr } = await run('bin/rails', ['runner', script], { cwd: app, env: appEnv() })
  assert.match(stdout, /^\[2000, "immediate"\]$/m, stderr)
})

test('the connection and the channel of browsers.md let a station in, and keep browsers out of its channel', async () => {
  await assertRuns('bin/rails generate model User name:string')
  await assertRuns('bin/rails db:migrate')
  const [connection, channel] = blocksOf('docs/how-to/browsers.md').filter(({ language }) => language === 'ruby')
  assert.ok(connection && channel)
  await follow(connection)
  appendFileSync(join(app, 'app/channels/ocpp_channel.rb'), channel.text)

  const station = await plugIn('ocpp1.6')
  const boot = await station.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' })
  assert.equal(boot['status'], 'Accepted')
  await station.close()

  const env = { url: `http://localhost:${stationsPort}/cable`, headers: {} }
  const [success, failure] = [1, 2] // of AnyCable's Status
  assert.equal((await rpc('connect', { env }))['status'], failure)
  const identifier = JSON.stringify({ channel: 'OCPPChannel', sn: 'CP01' })
  const subscribeAs = (identifiers: object) =>
    rpc('command', {
      command: 'subscribe',
      identifier,
      connection_identifiers: JSON.stringify(identifiers),
      env,
    })
  const stationReply = await subscribeAs({ station_id: 'CP01', current_user: null })
  assert.equal(stationReply['status'], success, JSON.stringify(stationReply))
  const browserReply = await subscribeAs({ station_id: null, current_user: 'someone' })
  assert.equal(browserReply['status'], failure, JSON.stringify(browserReply))
})

/** The output of a page's curl, asked of the app's own port. */
async function outputOf(line: string, port: number): Promise<string> {
  const { stdout } = await run('bash', ['-c', line.replace('localhost:3000', `localhost:${port}`)])
  return stdout
}

/** A call as AnyCable's own server makes it for a browser. */
async function rpc(name: 'connect' | 'command', message: object): Promise<Payload> {
  const token = createHmac('sha256', 'change-me').update('rpc-cable').digest('hex')
  const response = await fetch(`http://localhost:${railsPort}/_anycable/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'x-anycable-meta-sid': 'browser', 'x-anycable-meta-protov': 'v1' },
    body: JSON.stringify(message),
  })
  return (await response.json()) as Payload
}

function assertNoWarnings(): void {
  assert.deepEqual(
    bridge.lines.filter(line => !/^\S+ \S+ INF /.test(line)),
    [],
  )
}
