/**
 * The headers in which HTTP proxies name the client that they forward: Forwarded, and X-Forwarded-For with
 * X-Forwarded-Proto.
 *
 * Pure. Each proxy adds to the right end: what stands left of the first untrusted address may be invented.
 * Spec: RFC 7239 §4 to §6.
 */
import type { UpgradeRequest } from '../../translate/handshake.ts'
import { canonicalAddress } from './addresses.ts'

export type Forwarded = {
  /** Of the station, as far as trusted proxies know it; `null` if they do not tell it. */
  readonly address: string | null
  /** Whether the station's connection is encrypted; `null` if they do not tell it. */
  readonly encrypted: boolean | null
}

/** The names of these headers, in lower case. */
export const forwardedNames = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto'] as const

type Headers = UpgradeRequest['headers']
/** What one proxy has added. A node is read only as far as the hops are trusted: a header may have thousands. */
type Hop = { readonly node: string; readonly proto: string | null }
type Station = { readonly address: string | null; readonly proto: string | null }

const nothing: Forwarded = { address: null, encrypted: null }

/**
 * A problem, in words, where a header is malformed, or where both kinds are there and differ: the proxy writes one of
 * them, and passes on the other as the station sent it.
 */
export function readForwarded(headers: Headers, isTrusted: (address: string) => boolean): Forwarded | string {
  const [forwarded, addresses, protos] = forwardedNames.map(name => [headers[name] ?? ''].flat().join(','))
  const standard = readStandard(forwarded ?? '', isTrusted)
  if (standard === null) return 'The Forwarded header is malformed'
  const usual = readUsual(addresses ?? '', protos ?? '', isTrusted)
  const isOne = forwarded === '' || addresses === '' || standard.address === usual.address
  const isEncrypted = standard.encrypted ?? usual.encrypted
  if (!isOne || (usual.encrypted !== null && usual.encrypted !== isEncrypted))
    return 'The Forwarded and X-Forwarded headers differ'
  return { address: standard.address ?? usual.address, encrypted: isEncrypted }
}

function readUsual(addresses: string, protos: string, isTrusted: (address: string) => boolean): Forwarded {
  const hops = addresses.split(',').map(text => ({ node: text.trim(), proto: null }))
  const proto = protos.split(',').at(-1)?.trim() ?? ''
  return { address: stationHop(hops, isTrusted).address, encrypted: encryptedBy(proto) }
}

/** `null` if it is malformed. */
function readStandard(text: string, isTrusted: (address: string) => boolean): Forwarded | null {
  if (text === '') return nothing
  const hops = parseForwarded(text)
  if (hops === null) return null
  const { address, proto } = stationHop(hops, isTrusted)
  return { address, encrypted: encryptedBy(proto ?? '') }
}

/** The hop of the station: the rightmost one that is no trusted proxy, or the last one before an unknown address. */
function stationHop(hops: readonly Hop[], isTrusted: (address: string) => boolean): Station {
  let station: Station = { address: null, proto: null }
  for (const { node, proto } of hops.toReversed()) {
    const address = addressOf(node)
    if (address === null) return station
    station = { address, proto }
    if (!isTrusted(address)) return station
  }
  return station
}

function encryptedBy(proto: string): boolean | null {
  const isEncrypted = /^(?:https|wss)$/i.test(proto)
  return isEncrypted || /^(?:http|ws)$/i.test(proto) ? isEncrypted : null
}

/**
 * One element of RFC 7239 §4, up to the comma: pairs of a token and a token or quoted string. Blanks are matched in one
 * place, before a pair or behind it: two would share them in each possible way.
 */
const pair = /^[\t ]*(?:([\w!#$%&'*+.^`|~-]+)=([\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*")[\t ]*)?(?:([;,])|$)/

function parseForwarded(text: string): Hop[] | null {
  const hops: Hop[] = []
  let values = new Map<string, string>()
  for (let rest = text; ;) {
    const [whole, name, value = '', separator] = pair.exec(rest) ?? []
    if (whole === undefined) return null
    if (name !== undefined) {
      if (values.has(name.toLowerCase())) return null
      values.set(name.toLowerCase(), value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value)
    }
    if (separator !== ';') {
      // RFC 9110 §5.6.1: a recipient ignores empty elements.
      if (values.size > 0) hops.push({ node: values.get('for') ?? '', proto: values.get('proto') ?? null })
      values = new Map()
    }
    if (separator === undefined) return hops
    rest = rest.slice(whole.length)
  }
}

/** With or without a port; IPv6 in brackets, and bare as in X-Forwarded-For. `unknown` and `_hidden` are no address. */
function addressOf(node: string): string | null {
  const [, bracketed, plain] = /^\[([^\]]+)\](?::[\w.-]+)?$|^([^:]+)(?::[\w.-]+)?$/.exec(node) ?? []
  return canonicalAddress(bracketed ?? plain ?? node)
}
