/**
 * The bridge's own answers to CALLs that the app has not answered, and the warning that goes with one that only the app
 * should give.
 */
import { bootAnswer, type Asked } from '../../ocpp/answers.ts'
import type { Answer } from '../../ocpp/frame.ts'
import { answerFor, choiceFor, type NoAnswer } from '../../translate/answers.ts'
import { warnOfSilence, type SilenceSettings } from '../app/silence.ts'
import type { PendingCall } from './performing.ts'
import type { Fleet, Member } from '../ports.ts'
import type { Station } from '../station.ts'

/** Who gave a station its answer; `rejected`: the bridge, because the CALL could not go to the app. */
export type AnsweredBy = 'app' | 'replayed' | 'local' | 'rejected' | NoAnswer

export type OwnAnswer = {
  /** May lack the fields that the bridge fills in. */
  readonly answer: Answer
  /** Whether the bridge answers such a CALL whatever the app did. */
  readonly isLocal: boolean
}

export class OwnAnswers {
  readonly #station: Station<SilenceSettings>
  readonly #fleet: Fleet
  readonly #member: Member

  constructor(station: Station<SilenceSettings>, fleet: Fleet, member: Member) {
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
    const { handshake, settings, world } = this.#station
    const choice = choiceFor(call.action, handshake.version, settings)
    const { answer, isDecision } = answerFor(why, call, choice, asked, world.random())
    if (why === 'silent' && hadTime && !pending.isSuperseded)
      warnOfSilence(this.#station, call.action, choice, isDecision, tracked !== null)
    const isLocal = choice.row?.kind === 'local' && why !== 'unauthorized'
    if (answer.kind !== 'putOff') return { answer, isLocal }
    const payload = bootAnswer('Pending', this.#bootInterval(), asked)
    return { answer: { kind: 'callResult', id: call.id, payload }, isLocal }
  }

  /** A station that has left meanwhile does not read the answer, and reserves no time. */
  #bootInterval(): number {
    return this.#station.closed.aborted ? 0 : this.#fleet.bootInterval(this.#member)
  }
}
