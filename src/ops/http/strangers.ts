/**
 * Takes the parser off a connection behind the request of a stranger. Node's parser takes all requests, and all chunks
 * of a body, that arrive together: 2,400 requests, or 11,000 chunks, in 64 KiB, at a stretch.
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

export type Strangers = {
  /** Whether a request has a key: from then on, those of the connection are served, one after the other. */
  readonly isTrusted: (request: IncomingMessage) => boolean
  /** Whether a connection's first request is served, and parsed to its end, without a key. */
  readonly isHarmless: (request: IncomingMessage) => boolean
}

/** Has the parser stop behind the head. Node 26 goes on with the body, also of an upgrade. */
const stop = 2
/** Of a connection before its first request, in bytes: a head, and one read. The parser skips blank lines. */
const mostAhead = 16_384 + 65_536

const released = new WeakSet<IncomingMessage>()

/** Whether the connection has been taken from the server behind this request. */
export function isReleased(request: IncomingMessage): boolean {
  return released.has(request)
}

/**
 * Has a server emit 'upgrade' for requests of strangers, whatever they ask for, and close the connection behind one
 * that it serves. Call it when the server has taken the connection.
 */
export function upgradeStrangers(connection: Duplex, { isTrusted, isHarmless }: Strangers): void {
  const { parser } = connection as Duplex & Inside
  const take = parser?.onIncoming
  if (parser == null || take == null) return
  let ahead = 0
  const count = ({ length }: Buffer): void => {
    ahead += length
    if (ahead > mostAhead) connection.destroy()
  }
  connection.on('data', count)
  let isFirst = true
  let isKnown = false
  parser.onIncoming = function (request, isKeptAlive) {
    connection.off('data', count)
    isKnown ||= isTrusted(request)
    const isServed = isKnown || (isFirst && isHarmless(request))
    isFirst = false
    if (isServed) return take.call(this, request, isKeptAlive && isKnown)
    released.add(request)
    request.upgrade = true
    take.call(this, request, false)
    return stop
  }
}
