/**
 * What a session reads of the configuration: the settings of all its parts.
 */
import type { ValidationSettings } from '../translate/validation.ts'
import type { DeliveringSettings } from './app/delivering.ts'
import type { AnsweringSettings } from './calls/answering.ts'
import type { PerformingSettings } from './calls/performing.ts'
import type { CommandSettings } from './commands/commands.ts'
import type { CollectingSettings } from './reports/collecting.ts'
import type { UnansweredSettings } from './transactions/unanswered.ts'

export type SessionSettings = AnsweringSettings &
  CollectingSettings &
  CommandSettings &
  DeliveringSettings &
  PerformingSettings &
  UnansweredSettings &
  ValidationSettings
