/**
 * The station's network fails: its connection is cut, half closed, silent, slow.
 */
import { cells, type Cell } from './cells.ts'
import { openScene, type Failure, type Scene } from './scene.ts'

/** Resolves when the bridge has ended the connection; a reply of the app comes too late then. */
async function lost({ when, bridge, toApp, toBridge }: Scene, lose: () => void): Promise<void> {
  if (when === 'after perform, before the answer') {
    toBridge.hold('down')
    toApp.release()
    await bridge.metricReaches('ocpp_call_total', 2) // the answer is on its way
  }
  lose()
  await bridge.logged(/station disconnected/)
}

const atOnce = () => Promise.resolve()

const failures: Readonly<Record<string, Failure>> = {
  cut: { begin: scene => lost(scene, () => scene.toBridge.cut()), lasts: atOnce, end: back },
  'half closed': { begin: scene => lost(scene, () => scene.toBridge.halfClose('up')), lasts: atOnce, end: back },
  silent: { begin: scene => lost(scene, () => scene.toBridge.hold('up', 'down')), lasts: atOnce, end: back },
  slow: { begin: ({ toBridge }) => toBridge.delay(100), lasts: atOnce, end: () => undefined },
}

function back({ toBridge }: Scene): void {
  toBridge.cut()
  toBridge.release()
}

const whole = ['Accepted', 'transaction 1', 'Reset'] as const
const cut = 'closed 1006'
const twice = { Connect: 2, subscribe: 2, Disconnect: 2 } as const

const lostRows: readonly Omit<Cell, 'how'>[] = [
  { when: 'before boot', station: [cut, ...whole], because: 'the app has not heard of the connection' },
  {
    ...{ when: 'during Connect', station: [cut, ...whole], app: { ...twice, subscribe: 1 } },
    because: 'who was let in is told off, though nobody waited',
  },
  { when: 'between Connect and subscribe', station: [cut, ...whole], app: twice },
  {
    ...{ when: 'during perform', station: ['Accepted', cut, 'transaction 1', 'Reset'], app: twice },
    because: 'the station repeats it under its id, and gets the answer of the first one',
  },
  {
    ...{ when: 'after perform, before the answer', station: ['Accepted', cut, 'transaction 1', 'Reset'], app: twice },
  },
  { when: 'during a remote command', station: [...whole, cut, 'Reset'], app: { ...twice, error: 1 } },
]

cells(
  'the network of the station',
  failures,
  [
    ...lostRows.map(row => ({ ...row, how: 'cut', log: [cut] })),
    ...lostRows.map(row => ({ ...row, how: 'half closed', log: [cut] })),
    ...lostRows.map(row => ({ ...row, how: 'silent', log: [`${cut} Silent for too long`] })),
    { when: 'before boot', how: 'slow', station: whole, because: 'from here on to the end: a slow way is no failure' },
  ],
  openScene,
  '--rpc_command_timeout=5s',
  '--ocpp_ping_interval=300ms',
  '--ocpp_idle_timeout=1s',
)
