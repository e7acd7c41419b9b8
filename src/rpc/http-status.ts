/**
 * What an answer over HTTP that is not 200 says about a call: whether the app can have run it, and what to do about it.
 *
 * Pure. Source: the gem's `AnyCable::HTTRPC::Server`, which runs nothing where it answers 401, 404 or 422; the others
 * come from Rails, its web server or a proxy (RFC 9110 §15).
 */
import { RpcError } from '../cable/rpc.ts'

type Meaning = {
  readonly means: RpcError['code']
  readonly outcome: RpcError['outcome']
  readonly remedy?: string
}
type Row = Meaning & { readonly codes: readonly number[] }

const refused = { means: 'application', outcome: 'notRun' } as const

const rows: readonly Row[] = [
  { codes: [301, 302, 303, 307, 308], ...refused, remedy: 'set rpc_host to where it points' },
  { codes: [401], ...refused, remedy: 'the app has another key: set http_rpc_secret, or secret, to its own' },
  { codes: [403], ...refused, remedy: "config.hosts of the app must allow rpc_host's name" },
  {
    codes: [404, 405],
    ...refused,
    remedy: "rpc_host must end with the path where the app mounts AnyCable's HTTP RPC, such as /_anycable",
  },
  { codes: [400, 411, 413, 415, 421, 422], ...refused },
  { codes: [429], means: 'exhausted', outcome: 'notRun' },

  // A proxy that has lost the app, or a server that has had too much: nothing is known of the call.
  { codes: [502, 503], means: 'unavailable', outcome: 'unknown' },
  { codes: [408, 504], means: 'timeout', outcome: 'unknown' },
]

/** Every other status is a fault that a second try would not change. */
const anyOther: Meaning = { means: 'application', outcome: 'unknown' }

/** @param said  what the answer adds: its body, or where it points to */
export function rpcErrorForStatus(code: number, said: string): RpcError {
  const { means, outcome, remedy } = rows.find(({ codes }) => codes.includes(code)) ?? anyOther
  const status = said === '' ? `HTTP status ${code}` : `HTTP status ${code}: ${said}`
  return new RpcError(means, outcome, remedy === undefined ? status : `${status}; ${remedy}`)
}
