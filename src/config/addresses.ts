/**
 * The kinds of value that say where to find the app, NATS and CA certificates, and which proxies are trusted.
 *
 * Pure: files are named, not read.
 */
import { isIP } from 'node:net'
import { scalar, text } from './kinds.ts'
import type { Kind } from './option.ts'

const hostAndPort = /^(\[[\da-f:.]+\]|[^\s:/?#@,[\]\\]+):[1-9]\d{0,4}$/i
const httpTarget = /^(\[[\da-f:.]+\]|[^\s:/?#@,[\]\\]+)(:[1-9]\d{0,4})?(\/[^\s?#]*)?$/i

/** The forms of `rpc_host` by scheme. Schemes are lower case. */
const rpcForms: readonly (readonly [scheme: string, fits: (rest: string) => boolean])[] = [
  ['dns:///', isHostAndPort],
  ['grpc-list://', rest => rest.split(',').every(isHostAndPort)],
  ['http://', isHttpTarget],
  ['https://', isHttpTarget],
  ['', isHostAndPort],
]

/** `rpc_host`: one or several gRPC addresses, or an HTTP URL. */
export const rpcAddress: Kind<string> = {
  ...scalar({
    placeholder: '<address>',
    accepts:
      'host:port, dns:///host:port, grpc-list://host:port,host:port, or an http:// or https:// URL without user and query',
    parse: given => {
      const [scheme, fits] = rpcForms.find(([each]) => given.startsWith(each)) ?? ['', isHostAndPort]
      return fits(given.slice(scheme.length)) ? given : undefined
    },
    toToml: given => given,
  }),
  hides: hasCredentials,
}

export function isHttp(rpcHost: string): boolean {
  return rpcHost.startsWith('http://') || rpcHost.startsWith('https://')
}

/** Of a `statsd_host` without a port. */
export const statsdPort = 8125

/** `statsd_host`. The port may be left out. */
export const statsdAddress: Kind<string> = scalar({
  placeholder: '<address>',
  accepts: `host:port; without a port, ${statsdPort}`,
  parse: given => (!given.includes('/') && isHttpTarget(given) ? given : undefined),
  toToml: given => given,
})

const natsUrl = /^((nats|tls):\/\/)?([^\s/?#]+@)?(\[[\da-f:.]+\]|[^\s:/@[\]]+)(:\d{1,5})?\/?$/i

export const natsServer: Kind<string> = {
  ...scalar({
    placeholder: '<url>',
    accepts: 'a URL such as nats://127.0.0.1:4222; a user or password has /, ?, # and % percent-encoded',
    parse: given => (isNatsServer(given) ? given : undefined),
    toToml: given => given,
  }),
  hides: hasCredentials,
}

/** NATS gets user and password decoded. */
function isNatsServer(given: string): boolean {
  if (!natsUrl.test(given)) return false
  try {
    const { username, password } = new URL(given.includes('://') ? given : `nats://${given}`)
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

/** Whether an address contains a user, a password or a token. */
export function hasCredentials(address: string): boolean {
  return address.includes('@')
}

/** A file path, or PEM text, recognised by `-----BEGIN`. A private key given by mistake is hidden. */
export const certificates: Kind<string> = {
  ...text('a file path, or certificates as PEM text', /^(?!.*-----BEGIN).|-----BEGIN CERTIFICATE-----/s),
  placeholder: '<file>',
  hides: given => given.includes('PRIVATE KEY'),
}

/** `URL.canParse` rejects what the pattern alone accepts, such as port 99999 or address 1.2.3.999. */
function isHostAndPort(given: string): boolean {
  return hostAndPort.test(given) && URL.canParse(`http://${given}`)
}

function isHttpTarget(given: string): boolean {
  return httpTarget.test(given) && URL.canParse(`http://${given}`)
}

/** An address is a network of one host. */
export const network: Kind<string> = scalar({
  placeholder: '<network>',
  accepts: 'an IP address or a network in CIDR notation, such as 10.0.0.0/8',
  parse: given => {
    const [, address = '', bits = '0'] = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(given) ?? []
    const most = { 4: 32, 6: 128 }[isIP(address)] ?? -1
    return Number(bits) <= most ? given : undefined
  },
  toToml: given => given,
})
