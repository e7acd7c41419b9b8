/**
 * What identifies a transaction message whatever its connection, its bridge and its message id: its key, and the
 * transaction id made from it.
 */
import { createHash } from 'node:crypto'
import { idKey, type Call } from '../../ocpp/frame.ts'
import { factOf, transactionOf, type Identity, type OfTransaction } from '../../ocpp/identity.ts'
import { membersOf } from '../../ocpp/json.ts'
import { silentAnswerFor, versions, type Version } from '../../ocpp/version.ts'
import type { StationId } from '../../translate/handshake.ts'

/** What identifies a transaction message. */
export type Tracked = OfTransaction & {
  readonly stationId: StationId
  /** The same for every try of the same fact, different for different facts; 16 to 40 characters of `[A-Za-z0-9-_]`. */
  readonly key: string
  /** A digest of the payload's text, which has no bound itself. */
  readonly content: string
  readonly transaction: Identity['transaction'] | null
}

const noTransaction: OfTransaction = { of: null, ended: null }
/** 2^30. */
const leastMintedId = 1_073_741_824
/** 132 bits. */
const keyDigits = 22

export function trackedOf(stationId: StationId, { id, action, payload, value }: Call, identity: Identity): Tracked {
  const members = membersOf(payload)
  const { text, isCertain } = factOf(identity, members, value)
  const fact = [stationId, action, text, isCertain ? '' : idKey(id)]
  const digest = createHash('sha256').update(fact.join('\n')).digest('base64url')
  return {
    stationId,
    key: `${action}-${digest.slice(0, keyDigits)}`,
    content: createHash('sha256').update(payload).digest('base64'),
    transaction: identity.transaction ?? null,
    ...(identity.of === undefined ? noTransaction : transactionOf(identity, identity.of, members)),
  }
}

/**
 * The transaction id that a station gets where the app gives none (`ocpp_silent_ack=anycable`,
 * `ocpp_outbox_decide=accept`): positive, 31 bits (OCPP 1.6 errata §3.54), in the upper half of them, where few apps
 * count their own ids.
 *
 * The same for each try of a message: an app that has booked the first one under this id finds it in the answer to the
 * second.
 */
export function transactionIdFor({ key }: Pick<Tracked, 'key'>): number {
  return leastMintedId + (createHash('sha256').update(key).digest().readUInt32BE() >>> 2)
}

/** The id that a stored message's transaction has got from the bridge; `null` for a message that begins none. */
export function mintedIdOf(message: Pick<Tracked, 'key'> & { action: string; version: Version }): number | null {
  const mints = silentAnswerFor(versions[message.version], message.action)?.mintsTransactionId === true
  return mints ? transactionIdFor(message) : null
}
