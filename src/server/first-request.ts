/**
 * Takes the parser off a connection behind the first request of a stranger. Node's parser takes all requests, and all
 * chunks of a body, that arrive together: 2,400 requests in 64 KiB, at a stretch.
 *
 * `maxRequestsPerSocket` does not stop it either, so this file uses a field that is not Node's interface. The tests
 * fail if a release changes it.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Node sets `upgrade`. */
type Request = IncomingMessage & { upgrade?: boolean | null }
type TakeRequest = (this: unknown, request: Request, isKeptAlive: boolean) => number
type Inside = { readonly parser?: { onIncoming: TakeRequest | null } | null }

/** Has the parser stop behind the head. Node 26 goes on with the body, also of an upgrade. */
const stop = 2

/**
 * Has a server emit 'upgrade' for a request of the connection, whatever it asks for, unless that or an earlier one is
 * the app's. Call it when the server has taken the connection.
 *
 * @param isOfApp whether a request is a post with the broadcast key: from then on, requests of the connection are
 *   served with their bodies, one after the other
 */
export function upgradeStrangers(connection: Duplex, isOfApp: (request: IncomingMessage) => boolean): void {
  const { parser } = connection as Duplex & Inside
  const take = parser?.onIncoming
  if (parser == null || take == null) return
  let isApp = false
  parser.onIncoming = function (request, isKeptAlive) {
    isApp ||= isOfApp(request)
    if (isApp) return take.call(this, request, isKeptAlive)
    request.upgrade = true
    take.call(this, request, isKeptAlive)
    return stop
  }
}
