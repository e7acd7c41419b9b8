/**
 * An outbox in memory, which a test can make fail, or hold before it is synced.
 */
import { setImmediate } from 'node:timers/promises'
import type {
  AcceptedCredentials,
  AppSession,
  DurableOutbox,
  Outbox,
  OutboxMessage,
  StoredMessage,
} from '../../src/session/ports.ts'
import type { StationId } from '../../src/translate/handshake.ts'
import { FakeMemory } from './fakes.ts'

export class FakeOutbox implements Outbox {
  stored: StoredMessage[] = []
  readonly dead: StoredMessage[] = []
  readonly sessions = new Map<StationId, AppSession>()
  /** What becomes of an append; a test may hold or reject it. */
  appending: () => Promise<'stored' | 'refused'> = () => Promise.resolve('stored')
  #seq = 0

  async append(message: OutboxMessage): Promise<'stored' | 'present' | 'refused'> {
    const isSame = ({ stationId, key, content }: OutboxMessage): boolean =>
      stationId === message.stationId && key === message.key && content === message.content
    if ([...this.stored, ...this.dead].some(isSame)) return 'present'
    const outcome = await this.appending()
    if (outcome === 'stored') this.stored.push({ ...message, seq: ++this.#seq, nextAttemptAt: 0 })
    return outcome
  }

  async pendingOf(stationId: StationId, afterSeq = 0): Promise<readonly StoredMessage[]> {
    await setImmediate()
    return this.stored.filter(message => message.stationId === stationId && message.seq > afterSeq).slice(0, 2)
  }

  delivered(seq: number): Promise<void> {
    this.stored = this.stored.filter(message => message.seq !== seq)
    return Promise.resolve()
  }

  failed(seq: number, attempts: number, nextAttemptAt: number): Promise<void> {
    this.stored = this.stored.map(message => (message.seq === seq ? { ...message, attempts, nextAttemptAt } : message))
    return Promise.resolve()
  }

  deadLetter(seq: number): Promise<void> {
    this.dead.push(...this.stored.filter(message => message.seq === seq))
    return this.delivered(seq)
  }

  keepSession(stationId: StationId, session: AppSession): Promise<void> {
    this.sessions.set(stationId, session)
    return Promise.resolve()
  }

  sessionOf(stationId: StationId): Promise<AppSession | null> {
    return Promise.resolve(this.sessions.get(stationId) ?? null)
  }

  size() {
    const oldestAt = this.stored[0]?.storedAt ?? null
    return Promise.resolve({ pending: this.stored.length, dead: this.dead.length, bytes: 0, oldestAt })
  }
}

class FakeAccepted implements AcceptedCredentials {
  readonly all = new Map<StationId, string>()

  wasAccepted(stationId: StationId, credentials: string): boolean {
    return this.all.get(stationId) === credentials
  }

  onAccepted(stationId: StationId, credentials: string): void {
    this.all.set(stationId, credentials)
  }

  onRejected(stationId: StationId, credentials: string): void {
    if (this.wasAccepted(stationId, credentials)) this.all.delete(stationId)
  }
}

/**
 * The durable memory of a process.
 *
 * @param outbox of the process before, for a restart
 * @param known the stations that the app has accepted before, without credentials
 */
export function memoryWith(outbox = new FakeOutbox(), known: readonly string[] = ['CP1', 'CP2']) {
  const memory = new FakeMemory()
  const accepted = new FakeAccepted()
  for (const stationId of known) accepted.onAccepted(stationId as StationId, '')
  const failures: unknown[] = []
  const stations = [...new Set(outbox.stored.map(({ stationId }) => stationId))]
  const durable: DurableOutbox = {
    outbox,
    accepted,
    stations,
    onOpened: listener => listener(),
    onFailure: error => failures.push(error),
  }
  memory.durableOutbox = durable
  return { memory, outbox, accepted, failures, durable }
}
