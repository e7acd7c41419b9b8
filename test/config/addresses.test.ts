import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificates, natsServer, network, rpcAddress } from '../../src/config/addresses.ts'
import type { Kind } from '../../src/config/option.ts'

const rows: readonly [kind: Kind<string>, given: string, isAccepted: boolean, because: string][] = [
  [network, '10.0.0.0/8', true, 'an IPv4 network'],
  [network, '10.0.0.1', true, 'one host'],
  [network, '2001:db8::/32', true, 'an IPv6 network'],
  [network, '0.0.0.0/0', true, 'everything, with a warning'],
  [network, '10.0.0.0/33', false, 'more bits than IPv4 has'],
  [network, '2001:db8::/129', false, 'more bits than IPv6 has'],
  [network, '10.0.0.0/08', false, 'a leading zero'],
  [network, '10.0.0.0/', false, 'no length'],
  [network, '10.0.0', false, 'a shortened address'],
  [network, 'fe80::1%eth0', false, 'a zone'],
  [network, 'proxy.internal', false, 'a name'],
  [rpcAddress, 'localhost:50051', true, 'a host and its port'],
  [rpcAddress, '10.0.0.1:50051', true, 'an IPv4 address'],
  [rpcAddress, '[::1]:50051', true, 'an IPv6 address'],
  [rpcAddress, 'rails_app.internal.:1', true, 'an underscore, as in container names, and a trailing dot'],
  [rpcAddress, 'app:65535', true, 'the last port'],
  [rpcAddress, 'app:65536', false, 'beyond the last port'],
  [rpcAddress, 'app:0', false, 'port 0'],
  [rpcAddress, 'app', false, 'no port'],
  [rpcAddress, 'app:', false, 'an empty port'],
  [rpcAddress, ':50051', false, 'no host'],
  [rpcAddress, '::1:50051', false, 'an IPv6 address without brackets'],
  [rpcAddress, '[::1::2]:50051', false, 'brackets around an invalid address'],
  [rpcAddress, '1.2.3.999:50051', false, 'an invalid IPv4 address'],
  [rpcAddress, ' app:1', false, 'whitespace'],
  [rpcAddress, 'app:1/', false, 'a path'],
  [rpcAddress, 'a:1,b:2', false, 'a list without its scheme'],
  [rpcAddress, 'u:p@app:1', false, 'a user'],
  [rpcAddress, '', false, 'an empty text'],
  [rpcAddress, 'dns:///app:50051', true, 'a name with several addresses'],
  [rpcAddress, 'dns:///[::1]:50051', true, 'an address instead of a name'],
  [rpcAddress, 'dns:///app', false, 'no port'],
  [rpcAddress, 'dns://8.8.8.8/app:50051', false, 'a name server'],
  [rpcAddress, 'dns:app:50051', false, 'too few slashes'],
  [rpcAddress, 'DNS:///app:50051', false, 'an upper-case scheme'],
  [rpcAddress, 'grpc-list://a:1', true, 'a list of one'],
  [rpcAddress, 'grpc-list://a:1,[::1]:2,10.0.0.1:3', true, 'a list of names and addresses'],
  [rpcAddress, 'grpc-list://', false, 'an empty list'],
  [rpcAddress, 'grpc-list://a:1,', false, 'a trailing comma'],
  [rpcAddress, 'grpc-list://a:1, b:2', false, 'a space after the comma'],
  [rpcAddress, 'grpc-list://a:1,b', false, 'an item without a port'],
  [rpcAddress, 'grpc-list://a:1,dns:///b:2', false, 'a scheme in the list'],
  [rpcAddress, 'http://app', true, 'a URL without a port'],
  [rpcAddress, 'http://app:3000/_anycable', true, 'the path where Rails mounts it'],
  [rpcAddress, 'https://[::1]:3000/', true, 'a URL with TLS'],
  [rpcAddress, 'http://app:99999', false, 'beyond the last port'],
  [rpcAddress, 'http://', false, 'no host'],
  [rpcAddress, 'http:///_anycable', false, 'a path without a host'],
  [rpcAddress, 'http:app:3000', false, 'no slashes'],
  [rpcAddress, 'http://u:p@app', false, 'a user, as the secret has its own option'],
  [rpcAddress, 'http://app?x', false, 'a query, as the method is appended to the path'],
  [rpcAddress, 'http://app/#x', false, 'a fragment'],
  [rpcAddress, 'HTTP://app', false, 'an upper-case scheme'],
  [rpcAddress, 'grpc://app:50051', false, 'an unknown scheme'],
  [rpcAddress, 'unix:///tmp/rpc.sock', false, 'a Unix socket'],
  [natsServer, 'nats://127.0.0.1:4222', true, 'a URL'],
  [natsServer, 'tls://nats', true, 'a URL with TLS and without a port'],
  [natsServer, 'u:p%40ss@[::1]:4222/', true, 'a URL without a scheme, as in Go'],
  [natsServer, 'nats://token@n', true, 'a token'],
  [natsServer, 'nats://ü:%C3%BC@n', true, 'a user and a password beyond ASCII'],
  [natsServer, 'nats://u:50%@n', false, 'a percent sign of a password that is not encoded'],
  [natsServer, 'nats://u:%ff@n', false, 'an encoded password that is not UTF-8'],
  [natsServer, 'nats://u:a/b@n', false, 'a slash of a password that is not encoded'],
  [natsServer, 'nats://n:99999', false, 'beyond the last port'],
  [natsServer, 'ws://n:1', false, 'another scheme'],
  [natsServer, 'nats://h h:1', false, 'whitespace'],
  [certificates, '/etc/ca.pem', true, 'a file'],
  [certificates, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', true, 'PEM text'],
  [certificates, '# our CA\n-----BEGIN CERTIFICATE-----\nMIIB', true, 'a certificate with text before it'],
  [certificates, '-----BEGIN PRIVATE KEY-----\nMIIB', false, 'a key'],
  [certificates, '-----BEGIN CERTIFICATE REQUEST-----\nMIIB', false, 'a certificate request'],
]
for (const [kind, given, isAccepted, because] of rows) {
  test(`${JSON.stringify(given)} is ${isAccepted ? 'a valid' : 'not a valid'} ${kind.placeholder}: ${because}`, () => {
    assert.equal(kind.parse(given), isAccepted ? given : undefined)
  })
}

test('values that may contain a secret are hidden', () => {
  assert.deepEqual(
    [
      rpcAddress.hides('http://u:p@app'),
      natsServer.hides('nats://token@n'),
      certificates.hides('-----BEGIN PRIVATE KEY'),
    ],
    [true, true, true],
  )
  assert.deepEqual(
    [rpcAddress.hides('app:1'), natsServer.hides('n:1'), certificates.hides('ca.pem')],
    [false, false, false],
  )
})
