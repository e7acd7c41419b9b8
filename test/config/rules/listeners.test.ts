import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolve } from '../../../src/config/resolve.ts'
import { listenersOf } from '../../../src/config/rules/listeners.ts'

function resolved(...flags: readonly string[]) {
  return resolve({ argv: flags.map(flag => `--${flag}`), env: {}, file: null, nodeId: 'n' })
}

const tls = ['ssl_cert=c', 'ssl_key=k']

const profiles: readonly [flags: readonly string[], profile: number, verify: string, because: string][] = [
  [[], 0, 'off', 'a station needs nothing'],
  [['ocpp_profile=1'], 1, 'off', 'as given'],
  [tls, 0, 'off', 'TLS alone asks for no certificate'],
  [[...tls, 'ssl_client_ca=a'], 3, 'required', 'with a CA, a station needs a certificate'],
  [[...tls, 'ssl_client_ca=a', 'ssl_client_verify=optional'], 2, 'optional', 'or Basic credentials'],
  [[...tls, 'ssl_client_ca=a', 'ssl_client_verify=optional', 'ocpp_profile=3'], 3, 'optional', 'the higher one counts'],
  [[...tls, 'ssl_client_ca=a', 'ssl_client_verify=off', 'ocpp_profile=1'], 1, 'off', 'a CA that is not used'],
]
for (const [flags, profile, verify, because] of profiles) {
  test(`[${flags.join(' ')}] makes a listener of profile ${profile}: ${because}`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    const [first, ...others] = listenersOf(resolution.settings)
    assert.deepEqual([first?.profile, first?.sslClientVerify, others], [profile, verify, []])
  })
}

const problems: readonly [flags: readonly string[], problem: RegExp | null, because: string][] = [
  [['ssl_cert=a,b', 'ssl_key=x,y'], null, 'one key per certificate'],
  [['ssl_cert=a,b', 'ssl_key=x'], /^ssl_cert names 2 and ssl_key 1 files/, 'a key is missing'],
  [['ssl_key=x'], /^ssl_cert names 0/, 'a certificate is missing'],
  [['ssl_client_ca=a'], /^ssl_client_ca is set, but ssl_cert is not/, 'a client certificate needs TLS'],
  [[...tls, 'ssl_client_crl=a'], /^ssl_client_crl is set, but ssl_client_ca is not/, 'a list of no CA'],
  [[...tls, 'ssl_client_ca=a', 'ssl_client_crl=b', 'ocpp_profile=3'], null, 'security profile 3'],
  [['ocpp_profile=1'], null, 'Basic credentials need no TLS'],
  [['ocpp_profile=2'], /^ocpp_profile is 2, but ssl_cert is not set/, 'profile 2 needs TLS'],
  [[...tls, 'ocpp_profile=3'], /^ocpp_profile is 3, but no client certificate/, 'profile 3 needs a CA'],
  [
    [...tls, 'ocpp_profile=3', 'ssl_client_ca=a', 'ssl_client_verify=off'],
    /^ocpp_profile is 3, but no client certificate/,
    'a CA that is not used',
  ],
  [['proxy_protocol'], /^proxy_protocol is set, but trusted_proxies is not/, 'anyone could send a header'],
  [['proxy_protocol', 'trusted_proxies=10.0.0.0/8', 'ocpp_profile=3'], null, 'a proxy that asks for certificates'],
  [['proxy_client_cert=a'], /^proxy_client_cert is set, but trusted_proxies is not/, 'any station could send it'],
  [['proxy_client_cert=a', 'trusted_proxies=10.0.0.1', 'ocpp_profile=3'], null, 'profile 3 behind a proxy'],
  [['trusted_proxies=10.0.0.1', 'ocpp_profile=2'], null, 'a proxy that terminates TLS'],
  [['trusted_proxies=10.0.0.1', 'ocpp_profile=3'], /^ocpp_profile is 3, but no client cert/, 'nothing tells of one'],
]
for (const [flags, problem, because] of problems) {
  test(`[${flags.join(' ')}] is ${problem === null ? 'valid' : 'a problem'}: ${because}`, () => {
    const resolution = resolved(...flags)
    const found = resolution.ok ? [] : resolution.problems
    assert.equal(found.length, problem === null ? 0 : 1, found.join('\n'))
    if (problem !== null) assert.match(found.join(), problem)
  })
}

const cautions: readonly [flags: readonly string[], warning: RegExp | null, because: string][] = [
  [['ssl_legacy'], /^ssl_legacy is set: port 8080 accepts TLS 1.1 and weak ciphers/, 'a port for old stations'],
  [['trusted_proxies=10.0.0.0/8'], null, 'a private network'],
  [['trusted_proxies=0.0.0.0/0'], /^trusted_proxies contains every address/, 'the whole internet'],
]
for (const [flags, warning, because] of cautions) {
  test(`[${flags.join(' ')}] gives ${warning === null ? 'no warning' : 'a warning'}: ${because}`, () => {
    const resolution = resolved(...flags)
    assert.ok(resolution.ok)
    assert.equal(resolution.warnings.length, warning === null ? 0 : 1, resolution.warnings.join('\n'))
    if (warning !== null) assert.match(resolution.warnings.join(), warning)
  })
}
