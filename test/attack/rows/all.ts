/**
 * The attacks, one row each, in the order in which they run.
 */
import type { Attack } from '../attack.ts'
import type { SiteName } from '../sites.ts'
import { insiders } from './insiders.ts'
import { messages } from './messages.ts'
import { slow } from './slow.ts'
import { visits } from './visits.ts'

export const attacks: readonly Attack[] = [...messages, ...slow, ...visits, ...insiders]

export function attacksOn(name: SiteName): readonly Attack[] {
  return attacks.filter(({ site = 'plain' }) => site === name)
}
