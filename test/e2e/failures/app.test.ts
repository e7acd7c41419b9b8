/**
 * The connection to the app fails: it is cut, half closed, silent, slow.
 */
import { cells, type Cell } from './cells.ts'
import { until, type Failure, type Scene } from './scene.ts'

/** A call has failed: the station was answered without the app, or its message is being retried. */
const isFelt = ({ bridge }: Scene) => bridge.metricReaches('rpc_error_total', 1)

/** Nobody listens any more, and the bridge has noticed. */
const lost = async ({ toApp, bridge }: Scene, lose: () => void) => {
  await toApp.refuse()
  lose()
  await until(async () => (await bridge.get('/ready')).status === 503, 'the bridge is not ready')
}

const found = async ({ toApp, bridge }: Scene) => {
  toApp.cut()
  toApp.release()
  await toApp.accept()
  await until(async () => (await bridge.get('/ready')).status === 200, 'the bridge is ready')
}

/** The log line comes with the next call that could not be sent, not with the one in flight. */
const isSaid = async (scene: Scene) => {
  await scene.bridge.logged(/the app does not answer/)
  await isFelt(scene)
}

const failures: Readonly<Record<string, Failure>> = {
  cut: { begin: scene => lost(scene, () => scene.toApp.cut()), lasts: isSaid, end: found },
  'half closed': { begin: scene => lost(scene, () => scene.toApp.halfClose('down')), lasts: isSaid, end: found },
  silent: {
    begin: ({ toApp }) => toApp.hold('up', 'down'),
    lasts: isFelt,
    end: ({ toApp }) => toApp.release(),
  },
  slow: {
    begin: ({ toApp }) => toApp.delay(100),
    lasts: () => Promise.resolve(),
    end: () => undefined,
  },
}

const whole = ['Accepted', 'transaction 1', 'Reset'] as const
const away = ['the app does not answer', 'the app answers'] as const

const lostRows = ['cut', 'half closed'].flatMap((how): Cell[] => [
  { when: 'before boot', how, station: ['Pending', ...whole], log: away },
  {
    ...{ when: 'during Connect', how, station: ['Pending', ...whole], log: away },
    app: { Connect: 2 },
    because: 'whether the first one counts, nobody knows; it is the same sid, and ends once',
  },
  {
    ...{ when: 'between Connect and subscribe', how, station: ['Pending', ...whole], log: away },
    because: 'the station is connected already: the next boot goes on from there',
  },
  {
    ...{ when: 'during perform', how, station: whole, log: away },
    app: { 'start_transaction again': 1 },
    because: 'it may have run: the second attempt says so',
  },
  {
    ...{ when: 'after perform, before the answer', how, station: whole, log: away },
    app: { 'start_transaction again': [1, 2] },
    because: 'on a slow machine the second attempt may take longer than its second, too',
  },
  {
    ...{ when: 'during a remote command', how, station: [...whole, 'Reset'], log: away },
    app: { ack: 2 },
    because: 'the ack could not be sent: it is told again until the app is back',
  },
])

/** The held calls reach the app later, although nobody awaits them any more. */
const silentRows: readonly Omit<Cell, 'how'>[] = [
  { when: 'before boot', station: ['Pending', ...whole], app: { Connect: [1, 2] } },
  { when: 'during Connect', station: ['Pending', ...whole], app: { Connect: 2 } },
  { when: 'between Connect and subscribe', station: ['Pending', ...whole], app: { subscribe: [1, 2] } },
  { when: 'during perform', station: whole, app: { 'start_transaction again': 1 } },
  { when: 'after perform, before the answer', station: whole, app: { 'start_transaction again': 1 } },
  {
    ...{ when: 'during a remote command', station: [...whole, 'Reset'], app: { ack: [1, 2] } },
    log: ['dropped the outcome of a command: the app did not take it'],
    because: 'the app may have taken the ack: it is not told again',
  },
]

cells('the connection to the app', failures, [
  ...lostRows,
  ...silentRows.map(row => ({ mayLog: away, ...row, how: 'silent' })),
  {
    ...{ when: 'during perform', how: 'silent', station: whole, mayLog: away },
    log: ['the app does not reply in time'],
    app: { 'start_transaction again': 1 },
  },
  { when: 'before boot', how: 'slow', station: whole, because: 'from here on to the end: a slow way is no failure' },
])
