/**
 * The healthy stations beside an attack, and what they see.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

/** What stations saw. */
export type Service = {
  /** In ms: how long each call took, or how long each station was told to wait. */
  readonly took: readonly number[]
  /** Calls without an answer in time, connections that ended, stations that were refused. */
  readonly errors: number
}

export function together(services: readonly Service[]): Service {
  return {
    took: services.flatMap(({ took }) => took),
    errors: services.reduce((sum, { errors }) => sum + errors, 0),
  }
}

/** Stations that can be watched for so many ms, during an attack or without one. */
export interface Watched {
  watch(ms: number): Promise<Service>
  /** Begins when no call waits for long: the stations' first ones, or those during a collection of garbage. */
  watchQuiet(ms: number): Promise<Service>
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
const answerWithinMs = 30_000
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
  const signal = AbortSignal.timeout(answerWithinMs)
  const ended = once(ws, 'close', { signal }).then(() => null)
  const message = once(ws, 'message', { signal }).then(([data]) => String(data))
  return Promise.race([message, ended]).catch(() => null)
}

/** Accepted stations, each of which makes a call a second. */
export class Callers implements Watched {
  readonly #sockets: WebSocket[] = []
  readonly #timers: NodeJS.Timeout[] = []
  readonly #pending = new Map<string, number>()
  #took: number[] = []
  #errors = 0
  #isClosing = false

  async connect(options: FleetOptions): Promise<void> {
    const { stations } = options
    for (let at = 0; at < stations; at++) {
      const ws = open(options, `healthy-${at}`)
      ws.on('message', (data: Buffer) => this.#onAnswer(data.toString()))
      ws.on('close', () => this.#isClosing || this.#errors++)
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

  async watchQuiet(ms: number): Promise<Service> {
    await this.#steady()
    return this.watch(ms)
  }

  async watch(ms: number): Promise<Service> {
    this.#took = []
    this.#errors = 0
    await sleep(ms)
    const now = performance.now()
    const waiting = [...this.#pending.values()].map(since => now - since)
    const overdue = waiting.filter(waited => waited > answerWithinMs).length
    return {
      took: [...this.#took, ...waiting.filter(waited => waited > everyMs)],
      errors: this.#errors + overdue,
    }
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
    this.#pending.set(id, performance.now())
    ws.send(`[2,"${id}","StatusNotification",${status}]`)
  }

  async #steady(): Promise<void> {
    const deadline = performance.now() + 30_000
    const isSteady = (): boolean => [...this.#pending.values()].every(since => performance.now() - since < 200)
    while (!isSteady() && performance.now() < deadline) await sleep(50)
    await sleep(200)
    while (!isSteady() && performance.now() < deadline) await sleep(50)
  }

  #onAnswer(text: string): void {
    const [, type, id = ''] = /^\[(\d),"([^"]+)"/.exec(text) ?? []
    const since = this.#pending.get(id)
    if (since === undefined) return
    this.#pending.delete(id)
    this.#took.push(performance.now() - since)
    if (type !== '3' || performance.now() - since > answerWithinMs) this.#errors++
  }
}

/**
 * Stations with right keys that connect, make a call and leave, ten a second: in turns one whose key the bridge has
 * checked before, from the attackers' own address, and a new one from elsewhere. Each must get in at the first try.
 */
export class Visitors implements Watched {
  readonly #options: FleetOptions
  #news = 0

  constructor(options: FleetOptions) {
    this.#options = options
  }

  async watch(ms: number): Promise<Service> {
    const visits: Promise<boolean>[] = []
    const until = performance.now() + ms
    for (let at = 0; performance.now() < until; at++) {
      visits.push(at % 2 === 0 ? this.#visit(`return-${at % 20}`) : this.#visit(`fresh-${this.#news++}`, '127.0.200.1'))
      await sleep(100)
    }
    const areIn = await Promise.all(visits)
    return { took: [], errors: areIn.filter(isIn => !isIn).length }
  }

  /** The bridge checks the keys of those that return. */
  async watchQuiet(ms: number): Promise<Service> {
    return this.watch(ms)
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

  constructor(options: FleetOptions) {
    this.#options = options
  }

  async watch(ms: number): Promise<Service> {
    const { stations } = this.#options
    const told = Array.from({ length: stations }, async (_, at) => {
      await sleep((ms * at) / stations)
      return this.#told(`healthy-${at}`)
    })
    const waits = await Promise.all(told)
    const took = waits.filter(wait => wait !== null)
    return { took, errors: waits.length - took.length }
  }

  watchQuiet(ms: number): Promise<Service> {
    return this.watch(ms)
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
