/**
 * A bridge under attack: its app, the stations beside the attack with what they see, and what the process holds.
 */
import { readdirSync, readFileSync, mkdtempSync, writeFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { look, probed } from '../soak/probe.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { makeKeyPair } from '../support/certificate.ts'
import type { Keep } from '../support/keep.ts'
import { freePort } from '../support/ports.ts'
import { openProcess } from '../support/process.ts'
import type { Attack } from './attacks.ts'
import type { Target } from './connections.ts'

/** What the stations beside the attack saw. */
export type Service = {
  readonly calls: number
  /** In ms. */
  readonly p99: number
  /** Calls without an answer in time, and connections that ended. */
  readonly errors: number
}

/** What the bridge holds: memory in bytes after a collection of garbage, and open files. */
export type Holdings = { readonly memory: number; readonly files: number }

export type Site = {
  readonly bridge: Bridge
  /** What the stations see in the next ms, during an attack or without one. */
  readonly watch: (ms: number) => Promise<Service>
  readonly watchQuiet: (ms: number) => Promise<Service>
  /** How the attackers' connections ended. */
  readonly attack: (attack: Attack, ms: number, share: number) => Promise<Readonly<Record<string, number>>>
  readonly holdings: () => Promise<Holdings>
  /** Of the whole process, now. */
  readonly resident: () => number
  /** Resolves when the bridge holds no more files than that, or after so many ms. */
  readonly settled: (files: number, withinMs: number) => Promise<void>
}

const answerWithinMs = 10_000
const adminToken = 'a-token-of-the-operator'

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const node = (name: string, ...args: readonly string[]) =>
  openProcess(process.execPath, ['--import', 'tsx', script(name), ...args])

export async function openSite(keep: Keep, { stations, isTls }: { stations: number; isTls: boolean }): Promise<Site> {
  const app = keep(node('app.ts'))
  const [appPort = ''] = /\d+$/.exec(await app.line(/^port /)) ?? []
  const adminPort = await freePort()
  const flags = [`--rpc_host=127.0.0.1:${appPort}`, '--broadcast_key=a-key', `--admin_port=${adminPort}`]
  const pair = isTls ? await keyFiles(keep) : []
  const bridge = keep(await openBridge([...flags, `--admin_token=${adminToken}`, ...pair], probed))
  const { pid = 0 } = bridge.process
  const fleet = keep(new Fleet())
  await fleet.connect(bridge.url, stations)
  const files = (): number => readdirSync(`/proc/${pid}/fd`).length
  return {
    bridge,
    watch: ms => fleet.watch(ms),
    watchQuiet: ms => fleet.watchQuiet(ms),
    attack: async ({ name }, ms, share) => {
      const broadcastPort = Number(new URL(bridge.httpBroadcastUrl).port)
      const target: Omit<Target, 'until'> & { ms: number } = {
        port: bridge.port,
        isTls,
        adminPort,
        broadcastPort,
        share,
        ms,
      }
      const attacker = node('attacker.ts', name, JSON.stringify(target))
      const line = await attacker.line(/^ends /)
      await attacker.exited
      return JSON.parse(line.slice('ends '.length)) as Readonly<Record<string, number>>
    },
    holdings: async () => {
      const { heap, external } = await look(bridge)
      return { memory: heap + external, files: files() }
    },
    resident: () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    settled: async (most, withinMs) => {
      const deadline = performance.now() + withinMs
      while (files() > most && performance.now() < deadline) await sleep(100)
    },
  }
}

async function keyFiles(keep: Keep): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-attack-'))
  keep({ close: () => rmSync(folder, { recursive: true }) })
  const { cert, key } = await makeKeyPair()
  writeFileSync(join(folder, 'crt'), cert)
  writeFileSync(join(folder, 'key'), key)
  return [`--ssl_cert=${join(folder, 'crt')}`, `--ssl_key=${join(folder, 'key')}`]
}

const everyMs = 1_000
const status = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'

/** Accepted stations, each of which makes a call a second. */
class Fleet {
  readonly #sockets: WebSocket[] = []
  readonly #timers: NodeJS.Timeout[] = []
  readonly #pending = new Map<string, number>()
  #took: number[] = []
  #errors = 0
  #isClosing = false

  async connect(url: string, count: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      const ws = new WebSocket(`${url}/healthy-${at}`, ['ocpp1.6'], { rejectUnauthorized: false })
      ws.on('message', (data: Buffer) => this.#onAnswer(data.toString()))
      ws.on('error', () => undefined) // 'close' follows
      ws.on('close', () => this.#isClosing || this.#errors++)
      await new Promise<void>((resolve, reject) => ws.once('open', resolve).once('error', reject))
      this.#sockets.push(ws)
    }
    for (let at = 0; at < count; at += 20) {
      this.#sockets.slice(at, at + 20).forEach((ws, of) => this.#call(ws, `first-${at + of}`))
      await this.#steady()
    }
    // Spread over the second.
    this.#sockets.forEach((ws, at) => setTimeout(() => this.#start(ws, at), (at * everyMs) / count))
    await sleep(everyMs)
  }

  /** Begins when no call waits for long: the station's first ones, or those during a collection of garbage. */
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
    const took = [...this.#took, ...waiting.filter(waited => waited > everyMs)].sort((a, b) => a - b)
    return { calls: took.length, p99: took[Math.floor(took.length * 0.99)] ?? Infinity, errors: this.#errors + overdue }
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
