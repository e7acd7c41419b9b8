/**
 * The healthy stations beside an attack, and what they see.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What stations have seen since they were opened. It only grows: what an attack did is a difference of two. */
export type Tally = {
  /** Calls, visits, or boots. */
  readonly calls: number
  /** Calls without a CALLRESULT in time, connections that ended, stations that were refused. */
  readonly errors: number
}

export const none: Tally = { calls: 0, errors: 0 }

export function sumOf(tallies: readonly Tally[]): Tally {
  return tallies.reduce((sum, { calls, errors }) => ({ calls: sum.calls + calls, errors: sum.errors + errors }), none)
}

/** Stations that can be watched, during an attack or without one. */
export interface Watched {
  /** In the next ms: how long each call took, or how long each station was told to wait, in ms. */
  watch(ms: number): Promise<readonly number[]>
  /** As `watch`, once calls are quick: the first ones are not, nor those during a garbage collection. */
  watchQuiet(ms: number): Promise<readonly number[]>
  /** Resolves when each call that waits now has been answered, or has waited for too long. */
  tally(): Promise<Tally>
  close(): void
}

export type FleetOptions = {
  /** Where stations connect; `/` and the identity follow. */
  readonly url: string
  readonly stations: number
  /** The Basic credentials of every station; `null` if they send none. */
  readonly key: string | null
}

/** So long a station waits. */
const answerMs = 30_000
const everyMs = 1_000
const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'
const bootText = '[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'

function open({ url, key }: FleetOptions, id: string, from?: string): WebSocket {
  const ws = new WebSocket(`${url}/${id}`, ['ocpp1.6'], {
    rejectUnauthorized: false,
    ...(key === null ? {} : { auth: `${id}:${key}` }),
    ...(from === undefined ? {} : { localAddress: from }),
  })
  ws.on('error', () => undefined) // 'close' follows
  return ws
}

/** The next message of a station; `null` if it is late or does not come. */
async function messageOf(ws: WebSocket): Promise<string | null> {
  const signal = AbortSignal.timeout(answerMs)
  const ended = once(ws, 'close', { signal }).then(() => null)
  const message = once(ws, 'message', { signal }).then(([data]) => String(data))
  return Promise.race([message, ended]).catch(() => null)
}

/** A call that waits for its answer. */
type Pending = { readonly ws: WebSocket; readonly since: number }

/** Accepted stations, each of which makes a call a second until it loses its connection. */
export class Callers implements Watched {
  readonly #withinMs: number
  readonly #sockets: WebSocket[] = []
  readonly #timers: NodeJS.Timeout[] = []
  readonly #pending = new Map<string, Pending>()
  #took: number[] = []
  #calls = 0
  #errors = 0
  #isClosing = false

  /** @param withinMs  a call that waits for longer is an error */
  constructor(withinMs = answerMs) {
    this.#withinMs = withinMs
  }

  async connect(options: FleetOptions): Promise<void> {
    const { stations } = options
    for (let at = 0; at < stations; at++) {
      const ws = open(options, `healthy-${at}`)
      ws.on('message', (data: Buffer) => this.#onAnswer(data.toString()))
      ws.on('close', () => this.#isClosing || this.#onClose(ws))
      await once(ws, 'open')
      this.#sockets.push(ws)
    }
    for (let at = 0; at < stations; at += 20) {
      this.#sockets.slice(at, at + 20).forEach((ws, of) => this.#call(ws, `first-${at + of}`))
      await this.#steady()
    }
    // Spread over the second.
    this.#sockets.forEach((ws, at) => setTimeout(() => this.#start(ws, at), (at * everyMs) / stations))
    await sleep(everyMs)
  }

  async watchQuiet(ms: number): Promise<readonly number[]> {
    await this.#steady()
    return this.watch(ms)
  }

  async watch(ms: number): Promise<readonly number[]> {
    this.#took = []
    await sleep(ms)
    return [...this.#took, ...this.#waits().filter(waited => waited > everyMs)]
  }

  async tally(): Promise<Tally> {
    const waiting = [...this.#pending.keys()]
    while (waiting.some(id => this.#isAwaited(id))) await sleep(20)
    return { calls: this.#calls, errors: this.#errors }
  }

  close(): void {
    this.#isClosing = true
    for (const timer of this.#timers) clearInterval(timer)
    for (const ws of this.#sockets) ws.terminate()
  }

  #start(ws: WebSocket, at: number): void {
    let calls = 0
    const call = (): void => this.#call(ws, `${at}-${++calls}`)
    call()
    this.#timers.push(setInterval(call, everyMs))
  }

  #call(ws: WebSocket, id: string): void {
    if (ws.readyState !== WebSocket.OPEN) return
    this.#calls++
    this.#pending.set(id, { ws, since: performance.now() })
    ws.send(`[2,"${id}","StatusNotification",${status}]`)
  }

  async #steady(): Promise<void> {
    const deadline = performance.now() + 30_000
    const isSteady = (): boolean => this.#waits().every(waited => waited < 200)
    while (!isSteady() && performance.now() < deadline) await sleep(50)
    await sleep(200)
    while (!isSteady() && performance.now() < deadline) await sleep(50)
  }

  #onAnswer(text: string): void {
    const [, type, id = ''] = /^\[(\d),"([^"]+)"/.exec(text) ?? []
    const call = this.#pending.get(id)
    if (call === undefined) return
    this.#pending.delete(id)
    const took = performance.now() - call.since
    this.#took.push(took)
    if (type !== '3' || took > this.#withinMs) this.#errors++
  }

  #onClose(ws: WebSocket): void {
    const lost = [...this.#pending].filter(([, call]) => call.ws === ws)
    for (const [id] of lost) this.#pending.delete(id)
    this.#errors += 1 + lost.length
  }

  /** How long each call has waited, in ms. */
  #waits(): number[] {
    const now = performance.now()
    return [...this.#pending.values()].map(({ since }) => now - since)
  }

  /** Whether the answer may still come in time; if not, the call is an error. */
  #isAwaited(id: string): boolean {
    const call = this.#pending.get(id)
    if (call === undefined) return false
    if (performance.now() - call.since <= this.#withinMs) return true
    this.#pending.delete(id)
    this.#errors++
    return false
  }
}

/**
 * Stations with right keys that connect, make a call and leave, ten a second: in turns one whose key the bridge has
 * checked before, from the attackers' own address, and a new one from elsewhere. Each must get in at the first try.
 */
export class Visitors implements Watched {
  readonly #options: FleetOptions
  #news = 0
  #calls = 0
  #errors = 0

  constructor(options: FleetOptions) {
    this.#options = options
  }

  async watch(ms: number): Promise<readonly number[]> {
    const visits: Promise<boolean>[] = []
    const until = performance.now() + ms
    for (let at = 0; performance.now() < until; at++) {
      visits.push(at % 2 === 0 ? this.#visit(`return-${at % 20}`) : this.#visit(`fresh-${this.#news++}`, '127.0.200.1'))
      await sleep(100)
    }
    const areIn = await Promise.all(visits)
    this.#calls += areIn.length
    this.#errors += areIn.filter(isIn => !isIn).length
    return []
  }

  /** The bridge checks the keys of those that return. */
  async watchQuiet(ms: number): Promise<readonly number[]> {
    return this.watch(ms)
  }

  tally(): Promise<Tally> {
    return Promise.resolve({ calls: this.#calls, errors: this.#errors })
  }

  close(): void {
    // Each visit ends by itself.
  }

  async #visit(id: string, from?: string): Promise<boolean> {
    const ws = open(this.#options, id, from)
    ws.on('open', () => ws.send(bootText))
    const answer = await messageOf(ws)
    ws.terminate()
    return answer?.startsWith('[3,"boot",{"status":"Accepted"') === true
  }
}

/** Stations that the app has accepted before, and that boot while it is away. */
export class Booters implements Watched {
  readonly #options: FleetOptions
  #calls = 0
  #errors = 0

  constructor(options: FleetOptions) {
    this.#options = options
  }

  async watch(ms: number): Promise<readonly number[]> {
    const { stations } = this.#options
    const told = Array.from({ length: stations }, async (_, at) => {
      await sleep((ms * at) / stations)
      return this.#told(`healthy-${at}`)
    })
    const waits = await Promise.all(told)
    const took = waits.filter(wait => wait !== null)
    this.#calls += waits.length
    this.#errors += waits.length - took.length
    return took
  }

  watchQuiet(ms: number): Promise<readonly number[]> {
    return this.watch(ms)
  }

  tally(): Promise<Tally> {
    return Promise.resolve({ calls: this.#calls, errors: this.#errors })
  }

  close(): void {
    // Each visit ends by itself.
  }

  /** In ms. */
  async #told(id: string): Promise<number | null> {
    const ws = open(this.#options, id)
    ws.on('open', () => ws.send(bootText))
    const answer = await messageOf(ws)
    ws.terminate()
    const [, seconds] = /"status":"Pending".*"interval":(\d+)/.exec(answer ?? '') ?? []
    return seconds === undefined ? null : Number(seconds) * 1000
  }
}
