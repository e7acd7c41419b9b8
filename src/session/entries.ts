/**
 * What a session's inbox holds: what the station has sent, what the app is to be told, and the session's own work.
 */
import type { Call, Send } from '../ocpp/frame.ts'
import type { AttachEntry } from './app/attaching.ts'
import type { DeliveryEntry } from './app/delivering.ts'
import type { StationAnswer } from './commands/commands.ts'
import type { PendingOutcome } from './commands/outcomes.ts'
import type { PendingReport } from './reports/collecting.ts'

type PendingMessage = { readonly kind: 'call'; readonly call: Call | Send; readonly receivedAt: number }
/** An answer that came before the station was attached. */
type EarlyAnswer = { readonly kind: 'answer'; readonly answer: StationAnswer }

export type Entry = PendingMessage | EarlyAnswer | PendingOutcome | PendingReport | AttachEntry | DeliveryEntry
