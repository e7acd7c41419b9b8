/**
 * Runs operations as they come to the worker: all that have come since the last commit in one transaction, so that a
 * thousand of them cost one sync.
 */
import type { Database } from './database.ts'
import { faultOf, StoreError, type StoreFault } from './errors.ts'
import { expendable, reads, type Operations } from './operations.ts'

export type Request = {
  readonly [Name in keyof Operations]: { readonly name: Name; readonly args: Parameters<Operations[Name]> }
}[keyof Operations]

/** What a request came to, as it can pass between threads. */
export type Reply = { readonly value: unknown } | Failure
export type Failure = { readonly fault: StoreFault; readonly cause: string | null }

/**
 * The replies in the order of the requests. When the transaction fails, every write in it fails; those that must not be
 * lost are tried once without those that may.
 */
export function runBatch(database: Database, operations: Operations, requests: readonly Request[]): Reply[] {
  const runAll = (): Reply[] => requests.map(request => ({ value: run(operations, request) }))
  try {
    return requests.every(isRead) ? runAll() : database.transaction(runAll)
  } catch (error) {
    const failure = failureOf(error)
    const others = requests.filter(({ name }) => !expendable.has(name))
    if (others.length < requests.length) {
      const replies = runBatch(database, operations, others).values()
      return requests.map(({ name }) => (expendable.has(name) ? failure : (replies.next().value ?? failure)))
    }
    return requests.map(request => (isRead(request) ? readAlone(operations, request) : failure))
  }
}

export function failureOf(error: unknown): Failure {
  const source = error instanceof StoreError ? error.cause : error
  return { fault: faultOf(error), cause: source instanceof Error ? source.message : null }
}

function isRead({ name }: Request): boolean {
  return reads.has(name)
}

function readAlone(operations: Operations, request: Request): Reply {
  try {
    return { value: run(operations, request) }
  } catch (error) {
    return failureOf(error)
  }
}

function run(operations: Operations, { name, args }: Request): unknown {
  return (operations[name] as (...args: readonly unknown[]) => unknown)(...args)
}
