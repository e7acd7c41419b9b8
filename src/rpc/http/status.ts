/**
 * What an HTTP status other than 200 says about a call: whether the app can have run it, and how to fix it.
 *
 * Pure. Source: the gem's `AnyCable::HTTRPC::Server`, which runs nothing when it answers 401, 404 or 422. The other
 * statuses come from Rails, its web server or a proxy (RFC 9110 §15).
 */
import { RpcError } from '../../cable/rpc.ts'

type Meaning = {
  readonly means: RpcError['code']
  readonly outcome: RpcError['outcome']
  readonly remedy?: string
}
type Row = Meaning & { readonly codes: readonly number[] }

const refused = { means: 'application', outcome: 'notRun' } as const

const rows: readonly Row[] = [
  { codes: [301, 302, 303, 307, 308], ...refused, remedy: 'set rpc_host to the URL it points to' },
  {
    codes: [401],
    ...refused,
    remedy: 'the app expects another key: set http_rpc_secret, or secret, to the same value as in the app',
  },
  { codes: [403], ...refused, remedy: 'config.hosts in the app must allow the host name of rpc_host' },
  {
    codes: [404, 405],
    ...refused,
    remedy: "rpc_host must end with the path where the app mounts AnyCable's HTTP RPC, such as /_anycable",
  },
  { codes: [400, 411, 413, 415, 421, 422], ...refused },
  { codes: [429], means: 'exhausted', outcome: 'notRun' },

  // A proxy that has lost the app, or an overloaded server: nothing is known about the call.
  { codes: [502, 503], means: 'unavailable', outcome: 'unknown' },
  { codes: [408, 504], means: 'timeout', outcome: 'unknown' },
]

/** Any other status is a fault that a retry would not change. */
const anyOther: Meaning = { means: 'application', outcome: 'unknown' }

/** @param details  the answer's body, or where it redirects to */
export function rpcErrorForStatus(code: number, details: string): RpcError {
  const { means, outcome, remedy } = rows.find(({ codes }) => codes.includes(code)) ?? anyOther
  const status = details === '' ? `HTTP status ${code}` : `HTTP status ${code}: ${details}`
  return new RpcError(means, outcome, remedy === undefined ? status : `${status}; ${remedy}`)
}
