/**
 * The bridge itself fails: it is killed and started again, or stopped for a while.
 */
import { standStill } from '../../support/process.ts'
import { cells } from './cells.ts'
import { more, openScene, until, type Failure, type Scene } from './scene.ts'

/** At this moment the answer is on its way to the station and does not arrive. */
async function holdAnswer({ when, toApp, toBridge }: Scene): Promise<void> {
  if (when !== 'after perform, before the answer') return
  toBridge.hold('down')
  const answered = more(toBridge, 'down')
  toApp.release()
  await answered
}

/** How many bytes the app had sent when the bridge was about to be stopped: its reply may come while it is. */
const sentBefore = new WeakMap<Scene, number>()

/** Resolves when something has arrived that the stopped bridge does not read. */
function overlooks(scene: Scene): Promise<void> {
  const { when, toApp, toBridge } = scene
  if (when === 'before boot' || when === 'during a remote command') return more(toBridge, 'up')
  toApp.release()
  if (when === 'after perform, before the answer') return Promise.resolve()
  return until(() => toApp.bytes.down > (sentBefore.get(scene) ?? 0), 'the app has sent more')
}

const failures: Readonly<Record<string, Failure>> = {
  killed: {
    begin: async scene => {
      await holdAnswer(scene)
      await scene.bridge.kill('SIGKILL')
      scene.toBridge.cut()
    },
    lasts: () => Promise.resolve(),
    end: async ({ bridge, toBridge }) => {
      toBridge.release()
      await bridge.restart()
    },
  },
  stopped: {
    begin: scene => {
      sentBefore.set(scene, scene.toApp.bytes.down)
      return standStill(scene.bridge.process)
    },
    lasts: overlooks,
    end: ({ bridge }) => bridge.process.signal('SIGCONT'),
  },
}

const whole = ['Accepted', 'transaction 1', 'Reset'] as const
const cut = 'closed 1006'
const again = { Connect: 2, subscribe: 2 } as const

cells(
  'the bridge',
  failures,
  [
    { when: 'before boot', how: 'killed', station: [cut, ...whole] },
    { when: 'during Connect', how: 'killed', station: [cut, ...whole], app: { Connect: 2 }, unended: 1 },
    {
      ...{ when: 'between Connect and subscribe', how: 'killed', station: [cut, ...whole] },
      ...{ app: { Connect: 2, subscribe: [1, 2] }, unended: 1 },
    },
    {
      ...{ when: 'during perform', how: 'killed', station: ['Accepted', cut, 'transaction 1', 'Reset'] },
      ...{ app: { ...again, start_transaction: 2 }, unended: 1 },
      because: 'the station sends it again under its id, and nobody else remembers it: the app does',
    },
    {
      ...{
        when: 'after perform, before the answer',
        how: 'killed',
        station: ['Accepted', cut, 'transaction 1', 'Reset'],
      },
      ...{ app: { ...again, start_transaction: 2 }, unended: 1 },
    },
    {
      ...{ when: 'during a remote command', how: 'killed', station: [...whole, cut, 'Reset'], app: again, unended: 1 },
      because: 'the command ended with the bridge: no word of it',
    },
    { when: 'before boot', how: 'stopped', station: whole },
    { when: 'during Connect', how: 'stopped', station: whole },
    { when: 'between Connect and subscribe', how: 'stopped', station: whole },
    { when: 'during perform', how: 'stopped', station: whole },
    { when: 'after perform, before the answer', how: 'stopped', station: whole },
    { when: 'during a remote command', how: 'stopped', station: [...whole, 'Reset'], app: { ack: 2 } },
  ],
  openScene,
  '--rpc_command_timeout=20s',
)
