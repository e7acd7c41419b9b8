/**
 * What a row of the route table holds.
 *
 * Pure: no I/O, no Node.
 */
import type { ProblemName } from './problems.ts'
import type { Field, Shape } from './shapes.ts'

type Fields = Readonly<Record<string, Field>>

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** A segment in braces is a parameter. */
  readonly path: string
  readonly about: string
  /** Whether it changes something: then it needs the full token, and leaves a line in the log. */
  readonly write: boolean
  readonly query: Fields
  /** `null`: the route takes no body. */
  readonly body: Fields | null
  /** What it answers; `stream`: server-sent events with data of these shapes, by event. */
  readonly answer: { readonly json: Shape<unknown> } | { readonly stream: Readonly<Record<string, Shape<unknown>>> }
  /** Its own; `problemsOf` has them all. */
  readonly problems: readonly ProblemName[]
}
