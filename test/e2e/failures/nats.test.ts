/**
 * NATS fails: it is killed and started again, stopped, or its connections are cut. It carries the app's broadcasts
 * only, not CALLs, answers or the outcomes of commands.
 */
import { connect } from 'nats'
import type { TestContext } from 'node:test'
import { keepUntil } from '../../support/keep.ts'
import { openNats, type Nats } from '../../support/nats.ts'
import { standStill } from '../../support/process.ts'
import { openProxy, type Proxy } from '../../support/proxy.ts'
import { cells, type Cell } from './cells.ts'
import { openScene, until, type Failure, type Moment, type Scene } from './scene.ts'

/** The NATS server of a scene, and the proxy before it. */
const carriers = new WeakMap<Scene, { readonly nats: Nats; readonly toNats: Proxy }>()

async function openNatsScene(t: TestContext, when: Moment, ...flags: readonly string[]): Promise<Scene> {
  const keep = keepUntil(end => t.after(end))
  const nats = keep(await openNats())
  const toNats = keep(await openProxy(nats.port))
  const scene = await openScene(t, when, `--nats_servers=nats://${toNats.host}`, ...flags)
  const publish = async (broadcast: object) => {
    const publisher = await connect({ servers: nats.url })
    publisher.publish('__anycable__', JSON.stringify(broadcast))
    await publisher.drain()
  }
  const ours = { ...scene, publish }
  carriers.set(ours, { nats, toNats })
  return ours
}

function carrierOf(scene: Scene): { readonly nats: Nats; readonly toNats: Proxy } {
  const carrier = carriers.get(scene)
  if (carrier === undefined) throw new Error('the scene has no NATS')
  return carrier
}

/** The walk continues without NATS. */
async function isServed({ when, saw, app, toApp }: Scene): Promise<void> {
  toApp.release()
  if (when === 'during a remote command') await until(() => app.has('ack'), 'the app has the ack')
  else {
    const seen = saw.length
    await until(() => saw.length > seen, 'the station is answered')
  }
}

const lost = ({ bridge }: Scene) => bridge.logged(/no broadcasts from NATS/)
const found = (scene: Scene) =>
  until(
    () => scene.bridge.log().filter(({ msg }) => msg === 'subscribed to broadcasts').length === 2,
    'the bridge is subscribed again',
  )

const failures: Readonly<Record<string, Failure>> = {
  killed: {
    begin: async scene => {
      await carrierOf(scene).nats.kill()
      await lost(scene)
    },
    lasts: isServed,
    end: async scene => {
      await carrierOf(scene).nats.restart()
      await found(scene)
    },
  },
  cut: {
    begin: async scene => {
      carrierOf(scene).toNats.cut()
      await lost(scene)
    },
    lasts: isServed,
    end: found,
  },
  stopped: {
    begin: scene => standStill(carrierOf(scene).nats.process),
    lasts: isServed,
    end: scene => carrierOf(scene).nats.process.signal('SIGCONT'),
  },
}

const whole = ['Accepted', 'transaction 1', 'Reset'] as const
const subscribed = 'subscribed to broadcasts'
const outage = [subscribed, 'no broadcasts from NATS, retrying', subscribed] as const
const logs = { killed: outage, cut: outage, stopped: [subscribed] } as const
const untilCommand = [
  'before boot',
  'during Connect',
  'between Connect and subscribe',
  'during perform',
  'after perform, before the answer',
] as const

cells(
  'NATS',
  failures,
  (['killed', 'stopped', 'cut'] as const).flatMap((how): Cell[] => [
    ...untilCommand.map(when => ({ when, how, station: whole, log: logs[how] })),
    { when: 'during a remote command', how, station: [...whole, 'Reset'], log: logs[how], app: { ack: 2 } },
  ]),
  openNatsScene,
)
