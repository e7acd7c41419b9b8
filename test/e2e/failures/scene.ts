/**
 * One walk of a station, with a failure at one moment of it; both sides record what they see. The walk: connect, boot
 * until accepted, start a transaction, answer a remote command, disconnect. A station that loses its connection
 * reconnects when the failure is over, without a boot once it was accepted, and retries unanswered messages under the
 * same id, as OCPP requires.
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

/** A failure, and its end. */
export type Failure = {
  /** Resolves when the failure has begun, with the effect that must precede the app's reply. */
  begin(scene: Scene): unknown
  /** Resolves when the failure has lasted long enough. */
  lasts(scene: Scene): Promise<unknown>
  end(scene: Scene): unknown
}

/** A station, a bridge and an app, with a proxy before the bridge and one before the app. */
export type Scene = {
  readonly when: Moment
  readonly app: WatchedApp
  readonly toApp: Proxy
  readonly bridge: Bridge
  readonly toBridge: Proxy
  /** Publishes a broadcast of the app. */
  readonly publish: (broadcast: object) => Promise<unknown>
  /** What the station has seen, in order. */
  readonly saw: string[]
}

const broadcastKey = 'key'
const bootPayload = '{"chargePointVendor":"Vendor","chargePointModel":"Model"}'
const startPayload = '{"connectorId":1,"idTag":"TAG1","meterStart":0,"timestamp":"2026-01-02T03:04:05Z"}'
const untilMs = 60_000

/** Resolves when the condition is true; rejects after a minute. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + untilMs
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${untilMs} ms: ${what}`)
    await sleep(20)
  }
}

/** Resolves when more bytes have arrived. */
export function more({ bytes }: Proxy, direction: Direction): Promise<void> {
  const before = bytes[direction]
  return until(() => bytes[direction] > before, `more bytes go ${direction}`)
}

/** An app that accepts every station and counts its calls. */
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

  /** Runs a function when the next call of this name has arrived; the reply waits for it. */
  on(name: string, act: () => Promise<void>): void {
    this.#acts.set(name, act)
  }

  has(name: string, times = 1): boolean {
    return this.seen.filter(call => call.name === name).length >= times
  }

  /** The sessions for which the app got no Disconnect, or two. */
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

/** A perform by its action; a retry is marked `again`. */
function nameOf({ method, message }: Received): string {
  if (method !== 'Command') return method
  const { command, data } = message as { readonly command: string; readonly data: string }
  if (command !== 'message') return command
  const { action, attempt } = JSON.parse(data) as { readonly action: string; readonly attempt?: number }
  return attempt === undefined ? action : `${action} again`
}

/** @param flags of the bridge, in addition to those with short timeouts */
export async function openScene(t: TestContext, when: Moment, ...flags: readonly string[]): Promise<Scene> {
  const app = await WatchedApp.open(t)
  const toApp = await openProxy(app.port)
  t.after(() => toApp.close())
  const bridge = await openBridge([`--rpc_host=${toApp.host}`, ...quick, ...flags])
  t.after(() => bridge.kill('SIGKILL')) // without an app it would wait for its timeout
  const toBridge = await openProxy(bridge.port)
  t.after(() => toBridge.close())
  return { when, app, toApp, bridge, toBridge, publish: over(bridge), saw: [] }
}

/**
 * Flags with which a call that gets no reply fails soon, and no connection is closed over a transaction message: how
 * long a failure lasts depends on the machine's load. `nothing-lost.test.ts` has the closes.
 */
export const quick = [`--broadcast_key=${broadcastKey}`, '--rpc_command_timeout=1s', '--ocpp_unanswered=error'] as const

/** Broadcasts over HTTP. */
export function over(bridge: Bridge): Scene['publish'] {
  const headers = { authorization: `Bearer ${broadcastKey}` }
  return broadcast => fetch(bridge.httpBroadcastUrl, { method: 'POST', headers, body: JSON.stringify(broadcast) })
}

/**
 * Runs the whole walk with the failure at the moment of the scene; resolves when the bridge has forgotten the station.
 *
 * @param unended how many sessions end without a Disconnect
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

/** Starts the failure at a moment that the app sees first. */
function arrange({ when, app, toApp, bridge }: Scene, outage: Outage): void {
  switch (when) {
    case 'before boot':
    case 'during a remote command':
      return
    case 'during Connect':
      return app.on('Connect', () => outage.begin())
    case 'between Connect and subscribe':
      // The bridge has the reply to its first call when its second, which does not reach the app, is in flight.
      return app.on('Connect', () => {
        toApp.hold('up')
        // A call is counted in one turn of the event loop and written at its end: the second answer comes after that.
        outage.beginAfter(bridge.metricReaches('rpc_call_total', 2).then(() => bridge.metric('rpc_call_total')))
        return Promise.resolve()
      })
    case 'during perform':
      return app.on('start_transaction', () => outage.begin())
    case 'after perform, before the answer':
      // The app has run the call, and its reply has not arrived yet.
      return app.on('start_transaction', () => {
        toApp.hold('down')
        outage.beginAfter(more(toApp, 'down'))
        return Promise.resolve()
      })
  }
}

/** The failure of a walk. */
class Outage {
  /** Resolves when it has ended. */
  readonly over: Promise<void>
  #end: () => void = () => undefined
  #fail: (error: unknown) => void = () => undefined
  readonly #scene: Scene
  readonly #failure: Failure

  constructor(scene: Scene, failure: Failure) {
    this.#scene = scene
    this.#failure = failure
    this.over = new Promise((resolve, reject) => ([this.#end, this.#fail] = [resolve, reject]))
    this.over.catch(() => undefined) // those who await it have it
  }

  /** Resolves when it has begun; it ends by itself. */
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
  /** The station does not reconnect before this. */
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

  /** Boots until accepted; after a Pending, again when the failure is over. */
  async boot(): Promise<void> {
    while (/"Pending"/.test(await this.call('BootNotification', bootPayload))) await this.#outage.over
  }

  /** Sends a CALL until it is answered, over as many connections as needed. */
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

  /** Receives a remote command, and answers it after `meanwhile` if it is still connected. */
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
    await this.call('Heartbeat') // the first CALL subscribes a new connection
  }

  /** Disconnects; rejects when a CALL had two answers. */
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

/** An answer as one word. */
function wordFor(answer: string): string {
  const [, , payload, ...rest] = JSON.parse(answer) as [number, string, unknown, ...unknown[]]
  if (rest.length > 0) return String(payload)
  const { status, transactionId } = payload as { readonly status?: string; readonly transactionId?: number }
  return status ?? `transaction ${transactionId}`
}
