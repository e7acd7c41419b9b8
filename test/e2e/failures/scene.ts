/**
 * One walk of a station through its day, and a failure at one moment of it. Both sides count.
 *
 * The walk: connect, boot until accepted, start a transaction, obey a remote command, hang up. A station that loses its
 * connection comes back when the failure is over, without a boot once it was accepted, and repeats under the same id what
 * has no answer, as OCPP has it.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cableApp, ScriptedApp, type Received } from '../../support/app.ts'
import { commandBroadcast, openBridge, type Bridge } from '../../support/bridge.ts'
import { openProxy, type Direction, type Proxy } from '../../support/proxy.ts'
import { openRawStation, type RawStation } from '../../support/station.ts'

export type Moment =
  | 'before boot'
  | 'during Connect'
  | 'between Connect and subscribe'
  | 'during perform'
  | 'after perform, before the answer'
  | 'during a remote command'

/** What one side does, and how that is taken back. */
export type Failure = {
  /** Settles when it has begun, and has had the effect that the app's reply may not come before. */
  begin(scene: Scene): unknown
  /** Settles when it has lasted for long enough. */
  lasts(scene: Scene): Promise<unknown>
  end(scene: Scene): unknown
}

/** A station, a bridge and an app, with a proxy on the way to each of the two. */
export type Scene = {
  readonly when: Moment
  readonly app: WatchedApp
  readonly toApp: Proxy
  readonly bridge: Bridge
  readonly toBridge: Proxy
  /** Has the app broadcast. */
  readonly publish: (broadcast: object) => Promise<unknown>
  /** What the station has lived through, in order. */
  readonly saw: string[]
}

const broadcastKey = 'key'
const bootPayload = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'
const startPayload = '{"connectorId":1,"idTag":"TAG1","meterStart":0,"timestamp":"2026-01-02T03:04:05Z"}'
const untilMs = 60_000

/** Settles when it is true; rejects when it is not after a minute. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + untilMs
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${untilMs} ms: ${what}`)
    await sleep(20)
  }
}

/** Settles when more bytes have come than until now. */
export function more({ bytes }: Proxy, direction: Direction): Promise<void> {
  const before = bytes[direction]
  return until(() => bytes[direction] > before, `more bytes go ${direction}`)
}

/** An app that lets every station in, and counts. */
export class WatchedApp {
  readonly seen: { readonly name: string; readonly sid: string }[] = []
  readonly #app: ScriptedApp
  readonly #acts = new Map<string, () => Promise<void>>()

  private constructor(app: ScriptedApp) {
    this.#app = app
    const usual = cableApp(({ command }) => acks[command] ?? null)
    app.always(async call => {
      const name = nameOf(call)
      this.seen.push({ name, sid: call.metadata['sid'] ?? '' })
      const act = this.#acts.get(name)
      this.#acts.delete(name)
      await act?.()
      return usual(call)
    })
  }

  static async open(t: TestContext): Promise<WatchedApp> {
    const app = await ScriptedApp.start()
    t.after(() => app.stop())
    return new WatchedApp(app)
  }

  get port(): number {
    return this.#app.port
  }

  /** Acts when the next call of this name has come; the reply waits for it. */
  on(name: string, act: () => Promise<void>): void {
    this.#acts.set(name, act)
  }

  has(name: string, times = 1): boolean {
    return this.seen.filter(call => call.name === name).length >= times
  }

  /** The sessions that the app was shown and not told the end of, or told twice. */
  get unended(): string[] {
    const sids = (name: string) => this.seen.filter(call => call.name === name).map(({ sid }) => sid)
    const ends = sids('Disconnect')
    return [...new Set(sids('Connect'))].filter(sid => ends.filter(each => each === sid).length !== 1)
  }
}

const acks: Readonly<Record<string, object>> = {
  BootNotification: { status: 'Accepted', currentTime: '2026-01-02T03:04:05Z', interval: 1 },
  StartTransaction: { transactionId: 1, idTagInfo: { status: 'Accepted' } },
}

/** A perform by its action, `again` where it is not the first attempt. */
function nameOf({ method, message }: Received): string {
  if (method !== 'Command') return method
  const { command, data } = message as { readonly command: string; readonly data: string }
  if (command !== 'message') return command
  const { action, attempt } = JSON.parse(data) as { readonly action: string; readonly attempt?: number }
  return attempt === undefined ? action : `${action} again`
}

/** @param flags of the bridge, on top of those that make it quick */
export async function openScene(t: TestContext, when: Moment, ...flags: readonly string[]): Promise<Scene> {
  const app = await WatchedApp.open(t)
  const toApp = await openProxy(app.port)
  t.after(() => toApp.close())
  const bridge = await openBridge([`--rpc_host=${toApp.host}`, ...quick, ...flags])
  t.after(() => bridge.kill('SIGKILL')) // with no app it would wait for one
  const toBridge = await openProxy(bridge.port)
  t.after(() => toBridge.close())
  return { when, app, toApp, bridge, toBridge, publish: over(bridge), saw: [] }
}

/** Flags with which a call that gets no reply is given up soon. */
export const quick = [`--broadcast_key=${broadcastKey}`, '--rpc_command_timeout=1s'] as const

/** Broadcasts over HTTP. */
export function over(bridge: Bridge): Scene['publish'] {
  const headers = { authorization: `Bearer ${broadcastKey}` }
  return broadcast => fetch(bridge.httpBroadcastUrl, { method: 'POST', headers, body: JSON.stringify(broadcast) })
}

/**
 * The whole walk, with the failure at the moment of the scene; settles when the bridge has forgotten the station.
 *
 * @param unended of how many sessions the app is never told the end
 */
export async function walk(scene: Scene, failure: Failure, unended = 0): Promise<void> {
  const { when, app, bridge } = scene
  const outage = new Outage(scene, failure)
  const station = new WalkingStation(scene, outage)
  await station.connect()
  if (when === 'before boot') await outage.begin()
  arrange(scene, outage)
  await station.boot()
  await station.start()
  if (when === 'during a remote command') await station.obey('first', () => outage.begin())
  await outage.over
  await station.obey('last')
  await until(() => app.has('ack'), 'the app has the last ack')
  await station.leave()
  await until(() => app.unended.length <= unended, 'the app has been told of the ends')
  await until(async () => (await bridge.metric('clients_num')) === 0, 'no station is left at the bridge')
}

/** Has the failure begin at a moment that the app is the first to see. */
function arrange({ when, app, toApp, bridge }: Scene, outage: Outage): void {
  switch (when) {
    case 'before boot':
    case 'during a remote command':
      return
    case 'during Connect':
      return app.on('Connect', () => outage.begin())
    case 'between Connect and subscribe':
      // The bridge has the reply to its first call when its second is under way, which the app does not get.
      return app.on('Connect', () => {
        toApp.hold('up')
        outage.beginAfter(bridge.metricReaches('rpc_call_total', 2))
        return Promise.resolve()
      })
    case 'during perform':
      return app.on('start_transaction', () => outage.begin())
    case 'after perform, before the answer':
      // The app has run it, and said so; nobody has heard it yet.
      return app.on('start_transaction', () => {
        toApp.hold('down')
        outage.beginAfter(more(toApp, 'down'))
        return Promise.resolve()
      })
  }
}

/** The one failure of a walk. */
class Outage {
  /** Settles when it has ended. */
  readonly over: Promise<void>
  #end: () => void = () => undefined
  #fail: (error: unknown) => void = () => undefined
  readonly #scene: Scene
  readonly #failure: Failure

  constructor(scene: Scene, failure: Failure) {
    this.#scene = scene
    this.#failure = failure
    this.over = new Promise((resolve, reject) => ([this.#end, this.#fail] = [resolve, reject]))
    this.over.catch(() => undefined) // whoever waits for it has it
  }

  /** Settles when it has begun; it ends by itself. */
  async begin(): Promise<void> {
    await this.#failure.begin(this.#scene)
    this.#failure
      .lasts(this.#scene)
      .then(() => this.#failure.end(this.#scene))
      .then(() => this.#scene.toApp.release())
      .then(this.#end, this.#fail)
  }

  beginAfter(event: Promise<unknown>): void {
    event.then(() => this.begin()).catch(this.#fail)
  }
}

export class WalkingStation {
  readonly #scene: Pick<Scene, 'toBridge' | 'publish' | 'saw'>
  /** Until then it does not connect again. */
  readonly #outage: { readonly over: Promise<void> }
  readonly #id: string
  readonly #links: RawStation[] = []
  #calls = 0

  constructor(
    scene: Pick<Scene, 'toBridge' | 'publish' | 'saw'>,
    outage: { readonly over: Promise<void> },
    id = 'CP1',
  ) {
    this.#scene = scene
    this.#outage = outage
    this.#id = id
  }

  async connect(): Promise<void> {
    this.#links.push(await openRawStation(`ws://127.0.0.1:${this.#scene.toBridge.port}/ocpp`, this.#id))
  }

  /** Until it is accepted; where it is put off, once more when the failure is over. */
  async boot(): Promise<void> {
    while (/"Pending"/.test(await this.call('BootNotification', bootPayload))) await this.#outage.over
  }

  /** Until there is an answer, over as many connections as that takes. */
  async call(action: string, payload = '{}'): Promise<string> {
    const id = `${++this.#calls}`
    for (;;) {
      const link = this.#link
      const answer = await Promise.race([link.call(id, action, payload), link.closed])
      if (typeof answer === 'string') {
        if (action !== 'Heartbeat') this.#scene.saw.push(wordFor(answer))
        return answer
      }
      await this.#comeBack(answer.code)
    }
  }

  start(): Promise<string> {
    return this.call('StartTransaction', startPayload)
  }

  /** Gets a remote command, and answers it after what happens meanwhile, where it still can. */
  async obey(id: string, meanwhile?: () => Promise<void>): Promise<void> {
    const link = this.#link
    await this.#scene.publish(commandBroadcast(this.#id, { command: 'Reset', id, payload: { type: 'Soft' } }))
    await link.message(new RegExp(`^\\[2,"${id}","Reset"`))
    this.#scene.saw.push('Reset')
    await meanwhile?.()
    link.send(`[3,"${id}",{"status":"Accepted"}]`)
    if (meanwhile === undefined) return
    const closing = await Promise.race([link.closed, this.#outage.over])
    if (closing !== undefined) await this.#comeBack(closing.code)
    await this.call('Heartbeat') // a new connection is subscribed by it
  }

  /** Hangs up; rejects where one CALL had two answers. */
  async leave(): Promise<void> {
    await this.#link.close()
    for (const { received } of this.#links) {
      const answered = received.map(text => /^\[[34],("\d+")/.exec(text)?.[1]).filter(id => id !== undefined)
      assert.deepEqual(answered, [...new Set(answered)], 'each CALL has one answer')
    }
  }

  get #link(): RawStation {
    const link = this.#links.at(-1)
    assert.ok(link, 'the station has not connected')
    return link
  }

  async #comeBack(code: number): Promise<void> {
    this.#scene.saw.push(`closed ${code}`)
    await this.#outage.over
    await this.connect()
  }
}

/** An answer in a word. */
function wordFor(answer: string): string {
  const [, , payload, ...rest] = JSON.parse(answer) as [number, string, unknown, ...unknown[]]
  if (rest.length > 0) return String(payload)
  const { status, transactionId } = payload as { readonly status?: string; readonly transactionId?: number }
  return status ?? `transaction ${transactionId}`
}
