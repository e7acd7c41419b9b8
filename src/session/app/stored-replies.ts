/**
 * The app's replies to stored messages. The Ack reaches no station, because the station was given its answer when the
 * message was stored: where the app decided otherwise, the log and the app itself learn of it.
 */
import { RpcError, type CommandReply } from '../../cable/rpc.ts'
import { transactionOf } from '../../ocpp/identity.ts'
import { jsonText, membersOf, type JsonText } from '../../ocpp/json.ts'
import { versions } from '../../ocpp/version.ts'
import { choiceFor } from '../../translate/answers.ts'
import { outcomeData } from '../../translate/commands.ts'
import { readReply } from '../../translate/messages.ts'
import { tokenStatusOf, transactionIdOf } from '../../translate/stored.ts'
import type { StoredMessage } from '../ports.ts'
import type { Station } from '../station.ts'
import { mintedIdOf } from '../transactions/digest.ts'
import type { AppConnection } from './connection.ts'
import { warnOfError } from './errors.ts'
import type { AppMessages } from './messages.ts'
import { warnOfSilence, type SilenceSettings } from './silence.ts'

type RepliesParts = {
  readonly app: Pick<AppConnection, 'perform'>
  readonly messages: Pick<AppMessages, 'take'>
}

export class StoredReplies {
  readonly #station: Station<SilenceSettings>
  readonly #parts: RepliesParts

  constructor(station: Station<SilenceSettings>, parts: RepliesParts) {
    this.#station = station
    this.#parts = parts
  }

  /**
   * Rejects with `RpcError` if the app could not be told of a mismatching transaction id: the message is then performed
   * again.
   */
  async take(message: StoredMessage, { transmissions, disconnect }: CommandReply): Promise<void> {
    const { answer, others } = readReply(transmissions, message.id)
    this.#parts.messages.take(others, disconnect)
    if (answer === null) {
      this.#onSilence(message)
      return
    }
    const status = answer.kind === 'callResult' ? tokenStatusOf(answer.payload) : answer.code
    if (status !== null && status !== 'Accepted') this.#warnOfStatus(message, status)
    if (answer.kind === 'callResult') await this.#tellOfId(message, transactionIdOf(answer.payload))
  }

  /** Many apps rely on the silent answer, so the message counts as delivered. An Ack may also come by a broadcast. */
  #onSilence({ action, version }: StoredMessage): void {
    const { settings, world } = this.#station
    if (settings.ackTimeoutMs > 0) return
    world.meter.count('ocpp_outbox_silent_total')
    warnOfSilence(this.#station, action, choiceFor(action, version, settings), false, true)
  }

  #warnOfStatus(message: StoredMessage, status: string): void {
    const { who, world } = this.#station
    const transaction = transactionOfStored(message)
    const fields = { ...who, action: message.action, transaction, status }
    world.once('outbox answer', fields, notAcceptedText, `${who.station} ${transaction}`)
  }

  /** The station keeps the transaction id that it was given. An app that has booked another one has to know both. */
  async #tellOfId(message: StoredMessage, acked: JsonText | null): Promise<void> {
    const minted = mintedIdOf(message)
    if (minted === null || acked === null || acked === String(minted)) return
    const { id, action, key, version } = message
    const { settings, who, world, closed } = this.#station
    const fields = { ...who, transactionId: minted, ackTransactionId: acked }
    world.once('transaction id', { ...fields, key }, otherIdText, `${who.station} ${minted}`)
    const payload = `{"key":${jsonText(key)},"transactionId":${minted},"ackTransactionId":${acked}}` as JsonText
    const outcome = { kind: 'error', id, request: action, late: false, failure: null, ...otherId, payload } as const
    const form = { granular: settings.granularActions, version: versions[version].number }
    try {
      await this.#parts.app.perform(outcomeData(outcome, form, who.sid), closed)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      warnOfError(this.#station, 'error', error)
      // The message itself has run: it is performed again, with `attempt`, until the app has both.
      if (error.code !== 'application') throw new RpcError(error.code, 'unknown', error.message, { cause: error })
    }
  }
}

/**
 * The transaction of a stored message, as `Tracked.of` has it; that of a start is the one that the station was given.
 * `null` for a message outside transactions.
 */
export function transactionOfStored(message: StoredMessage): string | null {
  const { version, action, payload } = message
  const minted = mintedIdOf(message)
  if (minted !== null) return String(minted)
  const identity = versions[version].transactionMessages.get(action)
  return identity?.of === undefined ? null : transactionOf(identity, identity.of, membersOf(payload)).of
}

const otherId = {
  code: 'TransactionIdMismatch',
  message: 'The Charging Station has the transactionId that the bridge gave it, not the one in the Ack',
}
const otherIdText =
  'the app has acked a stored StartTransaction with another transactionId than the station has: take the transactionId from the data of the action'
const notAcceptedText =
  'the app has answered a stored transaction message with another status than Accepted, and the station was told Accepted before: deal with the transaction by hand'
