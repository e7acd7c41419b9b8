/**
 * The kinds of value that say where the app, NATS or its trust is found.
 *
 * Pure: a file is named, not read.
 */
import { scalar, text } from './kinds.ts'
import type { Kind } from './option.ts'

const hostAndPort = /^(\[[\da-f:.]+\]|[^\s:/?#@,[\]\\]+):[1-9]\d{0,4}$/i
const httpTarget = /^(\[[\da-f:.]+\]|[^\s:/?#@,[\]\\]+)(:[1-9]\d{0,4})?(\/[^\s?#]*)?$/i

/** The forms of `rpc_host`, by the scheme that tells them apart. A scheme is written small. */
const rpcForms: readonly (readonly [scheme: string, fits: (rest: string) => boolean])[] = [
  ['dns:///', isHostAndPort],
  ['grpc-list://', rest => rest.split(',').every(isHostAndPort)],
  ['http://', isHttpTarget],
  ['https://', isHttpTarget],
  ['', isHostAndPort],
]

/** How the app is called: gRPC at one address or several, or HTTP. */
export const rpcAddress: Kind<string> = {
  ...scalar({
    placeholder: '<address>',
    accepts:
      'host:port, dns:///host:port, grpc-list://host:port,host:port, or a URL with http:// or https://, without user and query',
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

export const natsServer: Kind<string> = {
  ...text(
    'a URL such as nats://127.0.0.1:4222',
    /^((nats|tls):\/\/)?(\S+@)?(\[[\da-f:.]+\]|[^\s:/@[\]]+)(:\d{1,5})?\/?$/i,
    '<url>',
  ),
  hides: hasCredentials,
}

/** Whether an address has a user, a password or a token in it. */
export function hasCredentials(address: string): boolean {
  return address.includes('@')
}

/** A file is told from the PEM text itself by `-----BEGIN`. What is no certificate may be a key, and is not shown. */
export const certificates: Kind<string> = {
  ...text(
    'a path of a file, or the PEM text of certificates itself',
    /^(?!.*-----BEGIN).|-----BEGIN CERTIFICATE-----/s,
  ),
  placeholder: '<file>',
  hides: given => given.includes('PRIVATE KEY'),
}

/** The shape alone lets pass a port of 99999 and an address of 1.2.3.999. */
function isHostAndPort(given: string): boolean {
  return hostAndPort.test(given) && URL.canParse(`http://${given}`)
}

function isHttpTarget(given: string): boolean {
  return httpTarget.test(given) && URL.canParse(`http://${given}`)
}
