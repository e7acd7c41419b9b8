/**
 * What a status that the app's server gives a call says about it: whether the app can have run it.
 *
 * Pure. The codes are gRPC's, the texts those of its server for Ruby.
 */
import { RpcError } from '../cable/rpc.ts'

export type Status = { readonly code: number; readonly details: string }

export type StatusRow = {
  readonly code: number
  /** Of the rows of a code, the first whose text is in the details counts. */
  readonly text?: RegExp
  readonly means: RpcError['code']
  readonly outcome: RpcError['outcome']
  readonly remedy?: string
}

const rows: readonly StatusRow[] = [
  // CANCELLED: a call that is given up here has settled before, so it is the app's side that gave this one up.
  { code: 1, means: 'unavailable', outcome: 'unknown' },

  // DEADLINE_EXCEEDED
  { code: 4, means: 'timeout', outcome: 'unknown' },

  // RESOURCE_EXHAUSTED: the call is over the limit of the app's server, and will be again; else no thread is free there,
  // which it says before it runs anything.
  {
    code: 8,
    text: /larger than/,
    means: 'application',
    outcome: 'notRun',
    remedy: "the call is larger than what the app's server takes",
  },
  { code: 8, means: 'exhausted', outcome: 'notRun' },

  // UNIMPLEMENTED: another service listens there.
  { code: 12, means: 'application', outcome: 'notRun' },

  // UNAVAILABLE: the server is at its end, or what stands before it has lost it.
  { code: 14, means: 'unavailable', outcome: 'unknown' },
]

/** Every other code is the app's own verdict on the call, which a second try would not change. */
const anyOther = { means: 'application', outcome: 'unknown' } as const

/** @param before  rows that count before those of the app's server: of who else gives statuses */
export function rpcErrorFor({ code, details }: Status, before: readonly StatusRow[] = []): RpcError {
  const fits = (row: StatusRow): boolean => row.code === code && (row.text?.test(details) ?? true)
  const row: Omit<StatusRow, 'code'> = before.find(fits) ?? rows.find(fits) ?? anyOther
  const said = `gRPC code ${code}: ${details}`
  return new RpcError(row.means, row.outcome, row.remedy === undefined ? said : `${said}; ${row.remedy}`)
}
