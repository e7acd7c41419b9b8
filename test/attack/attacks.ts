/**
 * The attacks, one row each, in the order in which they run.
 */
import type { Attack } from './attack.ts'
import { insiders } from './rows/insiders.ts'
import { messages } from './rows/messages.ts'
import { slow } from './rows/slow.ts'
import { visits } from './rows/visits.ts'

export const attacks: readonly Attack[] = [...messages, ...slow, ...visits, ...insiders]
