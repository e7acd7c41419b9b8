/**
 * The security part of the option table: TLS, security profiles, and further listeners.
 *
 * Pure: files are named, not read.
 */
import type { Profile } from '../../translate/certificate.ts'
import { file, hostName, listOf, onOff, oneOf, optional, port, scalar } from '../kinds.ts'
import { group, option, type Kind } from '../option.ts'
import { field, tableOf, tablesOf } from '../toml.ts'

const verification = oneOf('off', 'optional', 'required')
const files = listOf(file)
const maybeFile = optional(file)

const profile: Kind<Profile> = scalar({
  placeholder: '<0|1|2|3>',
  accepts: '0, 1, 2 or 3',
  parse: given => profiles.find(each => String(each) === given),
  toToml: given => given,
  tomlType: 'number',
})
const profiles = [0, 1, 2, 3] as const

/** A port on which stations connect, and what they must prove there. */
export type ListenerOptions = {
  readonly host: string
  readonly port: number
  readonly sslCert: readonly string[]
  readonly sslKey: readonly string[]
  readonly sslClientCa: string | null
  readonly sslClientCrl: string | null
  readonly sslClientVerify: 'off' | 'optional' | 'required'
  readonly sslLegacy: boolean
  readonly proxyProtocol: boolean
  readonly profile: Profile
}

/** The keys of a `[[listener]]`, named as the flags of the first listener. */
const keys = {
  host: 'host',
  port: 'port',
  sslCert: 'ssl_cert',
  sslKey: 'ssl_key',
  sslClientCa: 'ssl_client_ca',
  sslClientCrl: 'ssl_client_crl',
  sslClientVerify: 'ssl_client_verify',
  sslLegacy: 'ssl_legacy',
  proxyProtocol: 'proxy_protocol',
  profile: 'ocpp_profile',
} as const satisfies Record<keyof ListenerOptions, string>

const listener: Kind<ListenerOptions> = tableOf({
  accepts: `a table with port and optionally ${Object.values(keys)
    .filter(key => key !== 'port')
    .join(', ')}`,
  keys: Object.values(keys),
  read: (given, fault) => {
    const read = {
      host: field(given, keys.host, hostName, fault, 'localhost'),
      port: field(given, keys.port, port, fault),
      sslCert: field(given, keys.sslCert, files, fault, []),
      sslKey: field(given, keys.sslKey, files, fault, []),
      sslClientCa: field(given, keys.sslClientCa, maybeFile, fault, null),
      sslClientCrl: field(given, keys.sslClientCrl, maybeFile, fault, null),
      sslClientVerify: field(given, keys.sslClientVerify, verification, fault, 'required'),
      sslLegacy: field(given, keys.sslLegacy, onOff, fault, false),
      proxyProtocol: field(given, keys.proxyProtocol, onOff, fault, false),
      profile: field(given, keys.profile, profile, fault, 0),
    }
    return isWhole(read) ? read : undefined
  },
  toToml: options =>
    Object.fromEntries(
      Object.entries(keys).flatMap(([key, name]) => {
        const value = options[key as keyof ListenerOptions]
        return value === null ? [] : [[name, value]]
      }),
    ),
})

function isWhole(read: {
  readonly [K in keyof ListenerOptions]: ListenerOptions[K] | undefined
}): read is ListenerOptions {
  return Object.values(read).every(value => value !== undefined)
}

export const tls = group('TLS and security profiles', {
  cert: option(
    files,
    [],
    'TLS certificate chains, for example one RSA and one ECDSA, and those of further names. When empty, connections are not encrypted.',
    { flag: 'ssl_cert', toml: 'server.ssl.cert_path' },
  ),
  key: option(files, [], 'TLS private keys, one for each certificate, in the same order.', {
    flag: 'ssl_key',
    toml: 'server.ssl.key_path',
  }),
  clientCa: option(
    maybeFile,
    null,
    "PEM file with the CA certificates that issue stations' certificates (security profile 3).",
    { flag: 'ssl_client_ca', toml: 'server.ssl.client_ca_path' },
  ),
  clientCrl: option(
    maybeFile,
    null,
    'PEM file with a revocation list of each of these CAs. An expired list refuses every certificate.',
    { flag: 'ssl_client_crl', toml: 'server.ssl.client_crl_path' },
  ),
  clientVerify: option(
    verification,
    'required',
    'With ssl_client_ca: required refuses stations without a certificate; optional lets them use Basic credentials (profile 2); off asks for none.',
    { flag: 'ssl_client_verify', toml: 'server.ssl.client_verify' },
  ),
  legacy: option(
    onOff,
    false,
    'Also allows TLS 1.1, CBC suites and SHA-1, for old 1.6 stations; not MD5 nor short keys in client certificates. They are weak: give such stations a listener of their own.',
    { flag: 'ssl_legacy', toml: 'server.ssl.legacy' },
  ),
  profile: option(
    profile,
    0,
    'Lowest security profile that a station may use: 1, Basic credentials; 2, these over TLS; 3, a client certificate; 0, any.',
    { flag: 'ocpp_profile', toml: 'ocpp.profile' },
  ),
  listeners: option(
    tablesOf(listener, {
      host: '0.0.0.0',
      port: 8443,
      ssl_cert: ['/etc/ocpp/rsa.crt', '/etc/ocpp/ecdsa.crt'],
      ssl_key: ['/etc/ocpp/rsa.key', '/etc/ocpp/ecdsa.key'],
      ssl_client_ca: '/etc/ocpp/stations-ca.crt',
      ssl_client_crl: '/etc/ocpp/stations.crl',
      ssl_client_verify: 'required',
      ssl_legacy: false,
      proxy_protocol: false,
      ocpp_profile: 3,
    }),
    [],
    'Further ports for stations, each with its own security profile. The flags of the same names set the first listener.',
    { flag: 'listener' },
  ),
})
