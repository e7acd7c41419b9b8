/**
 * The attacks, one row each, in the order in which they run.
 */
import type { Attack } from '../attack.ts'
import { insiders } from './insiders.ts'
import { messages } from './messages.ts'
import { slow } from './slow.ts'
import { visits } from './visits.ts'

export const attacks: readonly Attack[] = [...messages, ...slow, ...visits, ...insiders]
