/**
 * The app of the model: how it replies to an RPC, at once or when a step of the test makes it reply.
 */
import type { RpcError } from '../../../src/cable/rpc.ts'
import { dataOf, faults, transmitted, type RpcCall, type Said } from '../../support/fakes.ts'
import type { Clock } from './clock.ts'

export const families = ['connect', 'subscribe', 'unsubscribe', 'perform', 'outcome', 'disconnect'] as const
export type Family = (typeof families)[number]

/** The replies of the app; a reply that does not fit a family is a plain success there. */
export const replies = [
  ...(['silent', 'ack', 'ack pending', 'ack rejected', 'ack twice', 'ack of another', 'error'] as const),
  ...(['command', 'close', 'failure', 'raised', 'absent', 'lost', 'slow'] as const),
]
export type Reply = (typeof replies)[number]
/** The reply to every call until it changes; `held`: none until a step makes the app reply, or the deadline is over. */
export type Mood = Exclude<Reply, 'command' | 'close'> | 'held'
export type Moods = Record<Family, Mood>

export type Pending = {
  readonly call: RpcCall
  readonly family: Family
  /** Replies, once. */
  reply(reply: Reply): void
}

/** Records the calls and replies. */
export type Witness = {
  onCall(call: RpcCall, family: Family): void
  onReply(call: RpcCall, family: Family, reply: Reply): void
  /** The id of a CALL other than the performed one. */
  otherId(call: RpcCall): unknown
  /** The command that the app adds to a reply. */
  command(call: RpcCall): object
}

/** `rpc_command_timeout`. */
const deadlineMs = 3_000

export class App {
  readonly moods: Moods
  readonly pending: Pending[] = []
  readonly #clock: Clock
  readonly #witness: Witness

  constructor(moods: Moods, clock: Clock, witness: Witness) {
    this.moods = { ...moods }
    this.#clock = clock
    this.#witness = witness
  }

  /** The script of every RPC. */
  readonly say = (call: RpcCall): Promise<Said> => {
    const family = familyOf(call)
    this.#witness.onCall(call, family)
    return new Promise((resolve, reject) => {
      const timer = this.#clock.start(() => pending.reply('slow'), deadlineMs)
      const pending: Pending = {
        call,
        family,
        reply: reply => {
          this.#clock.stop(timer)
          const at = this.pending.indexOf(pending)
          if (at !== -1) this.pending.splice(at, 1)
          this.#witness.onReply(call, family, reply)
          if (isFault(reply)) reject(faults[reply])
          else resolve(this.#saidOf(reply, call, family))
        },
      }
      const mood = this.moods[family]
      if (mood === 'held') this.pending.push(pending)
      else pending.reply(mood)
    })
  }

  #saidOf(reply: Exclude<Reply, keyof typeof faults>, call: RpcCall, family: Family): Said {
    if (reply === 'failure') return family === 'disconnect' ? {} : { status: 'failure' }
    if (reply === 'close' && (family === 'perform' || family === 'outcome')) return { disconnect: true }
    if (reply === 'command' && (family === 'perform' || family === 'outcome'))
      return transmitted(this.#witness.command(call))
    return family === 'perform' ? this.#answerOf(reply, call) : {}
  }

  #answerOf(reply: Reply, call: RpcCall): Said {
    const data = dataOf(call)
    const { id } = data
    const by = { by: 'reply', n: nonceOf(data.payload) }
    if (reply === 'error')
      return transmitted({ command: 'Error', id, code: 'PropertyConstraintViolation', message: 'no', payload: by })
    const status = ackStatus(reply)
    if (status === null) return {}
    const of = reply === 'ack of another' ? this.#witness.otherId(call) : id
    const ack = { command: 'Ack', id: of, payload: { status, ...by } }
    return reply === 'ack twice' ? transmitted(ack, ack) : transmitted(ack)
  }
}

/** The status in the Ack of a reply; `null` if it has no Ack. */
export function ackStatus(reply: Reply): string | null {
  if (!reply.startsWith('ack')) return null
  return reply === 'ack pending' ? 'Pending' : reply === 'ack rejected' ? 'Rejected' : 'Accepted'
}

/** The number that identifies a payload of the model. */
export function nonceOf(payload: object): number | null {
  return 'n' in payload && typeof payload.n === 'number' ? payload.n : null
}

function isFault(reply: Reply): reply is keyof typeof faults {
  return Object.hasOwn(faults, reply)
}

/** The outcome of a call, as its `RpcError` has it. */
export function outcomeOf(reply: Reply): RpcError['outcome'] {
  return isFault(reply) ? faults[reply].outcome : 'ran'
}

function familyOf(call: RpcCall): Family {
  if (call.command !== 'message') return call.name as Family
  const { command } = dataOf(call)
  return command === 'Ack' || command === 'Error' ? 'outcome' : 'perform'
}
