/**
 * Serves one plain request of a connection, without its body. Node's parser takes all requests, and all chunks of a
 * body, that arrive together: 2,400 requests in 64 KiB, at a stretch.
 *
 * `maxRequestsPerSocket` does not stop it either, so this file uses a field that is not Node's interface. The tests
 * fail if a release changes it.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** Node sets `upgrade`. */
type Request = IncomingMessage & { readonly upgrade?: boolean | null }
type TakeRequest = (this: unknown, request: Request, isKeptAlive: boolean) => number
type Inside = { readonly parser?: { onIncoming: TakeRequest | null } | null }

/** Makes the parser of Node ignore the body and all that follows, as it does behind an upgrade. */
const ignoreRest = 2

const asked = new WeakSet<Duplex>()

/** Whether its request is there: nothing that follows it counts, so no fault in it does. */
export function hasAsked(connection: Duplex): boolean {
  return asked.has(connection)
}

/**
 * Call it when the server has taken the connection.
 *
 * @param isOfApp whether a request is one that the app has a key for: these are served with their bodies, one after
 *   the other
 */
export function serveFirstRequest(connection: Duplex, isOfApp: (request: IncomingMessage) => boolean): void {
  const { parser } = connection as Duplex & Inside
  const take = parser?.onIncoming
  if (parser == null || take == null) return
  // `replayAsPlain` has the server take a connection a second time.
  asked.delete(connection)
  parser.onIncoming = function (request, isKeptAlive) {
    if (asked.has(connection)) return ignoreRest
    if (isOfApp(request)) return take.call(this, request, isKeptAlive)
    asked.add(connection)
    take.call(this, request, false)
    // An upgraded connection is read by others from now on.
    if (request.upgrade !== true) connection.pause()
    return ignoreRest
  }
}
