/**
 * The problems that the admin API answers with (RFC 9457). The `type` of a problem is `/problems/` and its name here,
 * and never changes: clients branch on it.
 *
 * Pure: no I/O, no Node.
 */
export const problems = {
  'bad-request': { status: 400, title: 'A parameter or the body is invalid' },
  unauthorized: { status: 401, title: 'The bearer token is missing or wrong' },
  'read-only': { status: 403, title: 'This token may read only' },
  'foreign-origin': { status: 403, title: 'The request comes from a web page of another host' },
  'not-found': { status: 404, title: 'There is no such route' },
  'unknown-station': { status: 404, title: 'The bridge does not know this Charging Station' },
  'unknown-message': { status: 404, title: 'The outbox has no such message' },
  'unknown-schema': { status: 404, title: 'There is no such schema' },
  'method-not-allowed': { status: 405, title: 'This route has no such method' },
  'not-connected': { status: 409, title: 'The Charging Station is not connected' },
  'not-accepted': { status: 409, title: 'The Charging Station has not been accepted by the app' },
  'no-outbox': { status: 409, title: 'The bridge has no outbox: state_dir is not set, or cannot be used' },
  'body-too-large': { status: 413, title: 'The body is longer than 1 MiB' },
  'not-json': { status: 415, title: 'The body is not application/json' },
  'unknown-action': {
    status: 422,
    title: 'This version of OCPP has no such action from the CSMS to a Charging Station',
  },
  'invalid-payload': { status: 422, title: 'The payload violates the schema of its action' },
  'invalid-id': { status: 422, title: 'The id has more than 36 characters, or is in use' },
  'queue-full': { status: 429, title: 'Too many commands wait for this Charging Station' },
  internal: { status: 500, title: 'A bug in the bridge' },
  'call-error': { status: 502, title: 'The Charging Station answered with a CALLERROR' },
  'invalid-result': { status: 502, title: 'The answer of the Charging Station is invalid' },
  'connection-closed': { status: 502, title: 'The connection of the Charging Station was closed before its answer' },
  'too-many-requests': { status: 503, title: 'Too many streams or requests are open' },
  'outbox-failed': { status: 503, title: 'The disk of the outbox fails' },
  'key-not-stored': { status: 503, title: 'The command was not sent: its key cannot be stored in ocpp_auth_file' },
  'not-sent': { status: 504, title: 'The command was not sent: an earlier command is still open' },
  'call-timeout': { status: 504, title: 'The Charging Station did not answer in time' },
} as const

export type ProblemName = keyof typeof problems

/** The problems of every route. */
export const everyRoute: readonly ProblemName[] = ['bad-request', 'unauthorized', 'foreign-origin', 'internal']
const bodyProblems: readonly ProblemName[] = ['body-too-large', 'not-json', 'too-many-requests']

type Failing = { readonly write: boolean; readonly body: object | null; readonly problems: readonly ProblemName[] }

/** The problems of a route beyond `everyRoute`. */
export function problemsOf({ write, body, problems: own }: Failing): readonly ProblemName[] {
  return [...(write ? (['read-only'] as const) : []), ...(body === null ? [] : bodyProblems), ...own]
}

/** The body of a problem. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  /** What is wrong with this request. */
  readonly detail?: string
  readonly [more: string]: unknown
}

function problemOf(name: ProblemName, detail?: string, more: object = {}): Problem {
  const { status, title } = problems[name]
  return { type: `/problems/${name}`, title, status, ...(detail !== undefined && { detail }), ...more }
}

/** Ends a request with a problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem

  constructor(name: ProblemName, detail?: string, more: object = {}) {
    super(detail ?? name)
    this.problem = problemOf(name, detail, more)
  }
}
