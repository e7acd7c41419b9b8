/**
 * The official schemas, asked for once each, and what frames break of them.
 */
import type { AnswerOf } from '../../admin/routes.ts'
import type { Entry } from '../model/frames.ts'
import { inspect, type Found } from '../model/inspection.ts'
import type { ActionSchemas } from '../model/schema.ts'
import { asking, type Context } from './page.ts'

type ActionNames = AnswerOf<'listActions'>

export class Schemas {
  readonly #context: Context
  readonly #answers = new Map<string, object | null>()
  /** Entries are never changed: one with an answer is another one. */
  readonly #found = new WeakMap<Entry, readonly Found[]>()

  constructor(context: Context) {
    this.#context = context
  }

  actions(version: string): ActionNames | null {
    return this.#get(`/v1/schemas/${version}`) as ActionNames | null
  }

  /** `null` until they are here, and if there are none; the page is drawn again when they come. */
  of(version: string, action: string): ActionSchemas | null {
    const names = this.actions(version)
    if (names === null || ![...names.toStation, ...names.fromStation].includes(action)) return null
    return this.#get(`/v1/schemas/${version}/${action}`) as ActionSchemas | null
  }

  /** Places at which an entry breaks its schemas; none until they are here. */
  violationsIn(entry: Entry, version: string | null): readonly Found[] {
    const known = this.#found.get(entry)
    if (known !== undefined) return known
    const schemas = version === null || entry.action === null ? null : this.of(version, entry.action)
    if (schemas === null) return []
    const found = inspect(entry, schemas)
    this.#found.set(entry, found)
    return found
  }

  #get(path: string): object | null {
    const known = this.#answers.get(path)
    if (known === undefined) {
      this.#answers.set(path, null)
      void asking(this.#context, async () => {
        this.#answers.set(path, await this.#context.api.get<'getSchemas' | 'listActions'>(path))
      })
    }
    return known ?? null
  }
}
