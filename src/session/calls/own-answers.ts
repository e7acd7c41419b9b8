/**
 * The bridge's own answers to CALLs that the app has not answered, and the warning that goes with one that only the app
 * should give.
 */
import { bootAnswer, type Asked } from '../../ocpp/answers.ts'
import type { Answer } from '../../ocpp/frame.ts'
import { answerFor, choiceFor, silenceNotice, type NoAnswer, type SilentSettings } from '../../translate/answers.ts'
import type { PendingCall } from './performing.ts'
import type { Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'

export type OwnAnswerSettings = SilentSettings & { readonly granularActions: boolean }

/** Who gave a station its answer; `rejected`: the bridge, because the CALL could not go to the app. */
export type AnsweredBy = 'app' | 'replayed' | 'local' | 'rejected' | NoAnswer

export type OwnAnswer = {
  /** May lack the fields that the bridge fills in. */
  readonly answer: Answer
  /** Whether the bridge answers such a CALL whatever the app did. */
  readonly isLocal: boolean
}

export class OwnAnswers {
  readonly #station: Station<OwnAnswerSettings>
  readonly #fleet: Fleet
  readonly #member: Member

  constructor(station: Station<OwnAnswerSettings>, fleet: Fleet, member: Member) {
    this.#station = station
    this.#fleet = fleet
    this.#member = member
  }

  /**
   * @param asked for the same CALL
   * @param hadTime whether the app had the time for an Ack that the CALL allows
   */
  answerTo(pending: PendingCall, why: NoAnswer, asked: Asked, hadTime: boolean): OwnAnswer {
    const { call, tracked } = pending
    const { handshake, settings, who, world } = this.#station
    const choice = choiceFor(call.action, handshake.version, settings)
    const { answer, isDecision } = answerFor(why, call, choice, asked, world.random())
    if (why === 'silent' && hadTime && !pending.isSuperseded) {
      const { action } = call
      const notice = silenceNotice(action, choice, isDecision, tracked !== null, settings.granularActions)
      if (notice !== null) world.once(`silent ${action}`, { ...who, action }, notice)
    }
    const isLocal = choice.row?.kind === 'local' && why !== 'unauthorized'
    if (answer.kind !== 'putOff') return { answer, isLocal }
    const payload = bootAnswer('Pending', this.#bootInterval(), asked)
    return { answer: { kind: 'callResult', id: call.id, payload }, isLocal }
  }

  /** A station that has left meanwhile does not read the answer, and reserves no time. */
  #bootInterval(): number {
    return this.#station.isClosed ? 0 : this.#fleet.bootInterval(this.#member)
  }
}
