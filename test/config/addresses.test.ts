import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificates, natsServer, rpcAddress } from '../../src/config/addresses.ts'
import type { Kind } from '../../src/config/option.ts'

const rows: readonly [kind: Kind<string>, given: string, isAccepted: boolean, because: string][] = [
  [rpcAddress, 'localhost:50051', true, 'a host and its port'],
  [rpcAddress, '10.0.0.1:50051', true, 'an IPv4 address'],
  [rpcAddress, '[::1]:50051', true, 'an IPv6 address'],
  [rpcAddress, 'rails_app.internal.:1', true, 'an underscore, as in names of containers, and a last dot'],
  [rpcAddress, 'app:65535', true, 'the last port'],
  [rpcAddress, 'app:65536', false, 'beyond the last port'],
  [rpcAddress, 'app:0', false, 'port 0 is no target'],
  [rpcAddress, 'app', false, 'no port'],
  [rpcAddress, 'app:', false, 'an empty port'],
  [rpcAddress, ':50051', false, 'no host'],
  [rpcAddress, '::1:50051', false, 'an IPv6 address without brackets'],
  [rpcAddress, '[::1::2]:50051', false, 'brackets around what is no address'],
  [rpcAddress, '1.2.3.999:50051', false, 'an IPv4 address that is none'],
  [rpcAddress, ' app:1', false, 'white space'],
  [rpcAddress, 'app:1/', false, 'a path'],
  [rpcAddress, 'a:1,b:2', false, 'a list without its scheme'],
  [rpcAddress, 'u:p@app:1', false, 'a user'],
  [rpcAddress, '', false, 'nothing'],
  [rpcAddress, 'dns:///app:50051', true, 'a name of several addresses'],
  [rpcAddress, 'dns:///[::1]:50051', true, 'an address is a name too'],
  [rpcAddress, 'dns:///app', false, 'no port'],
  [rpcAddress, 'dns://8.8.8.8/app:50051', false, 'a name server of its own'],
  [rpcAddress, 'dns:app:50051', false, 'too few slashes'],
  [rpcAddress, 'DNS:///app:50051', false, 'schemes are written small'],
  [rpcAddress, 'grpc-list://a:1', true, 'a list of one'],
  [rpcAddress, 'grpc-list://a:1,[::1]:2,10.0.0.1:3', true, 'a list of all sorts'],
  [rpcAddress, 'grpc-list://', false, 'a list of nothing'],
  [rpcAddress, 'grpc-list://a:1,', false, 'an empty place at the end'],
  [rpcAddress, 'grpc-list://a:1, b:2', false, 'a blank after the comma'],
  [rpcAddress, 'grpc-list://a:1,b', false, 'one without its port'],
  [rpcAddress, 'grpc-list://a:1,dns:///b:2', false, 'a scheme in the list'],
  [rpcAddress, 'http://app', true, 'a URL, whose port is known'],
  [rpcAddress, 'http://app:3000/_anycable', true, 'where Rails mounts it'],
  [rpcAddress, 'https://[::1]:3000/', true, 'a URL with TLS'],
  [rpcAddress, 'http://app:99999', false, 'beyond the last port'],
  [rpcAddress, 'http://', false, 'no host'],
  [rpcAddress, 'http:///_anycable', false, 'no host, but a path'],
  [rpcAddress, 'http:app:3000', false, 'no slashes'],
  [rpcAddress, 'http://u:p@app', false, 'a user: the secret has an option of its own'],
  [rpcAddress, 'http://app?x', false, 'a query, which would stand before the method'],
  [rpcAddress, 'http://app/#x', false, 'a fragment'],
  [rpcAddress, 'HTTP://app', false, 'schemes are written small'],
  [rpcAddress, 'grpc://app:50051', false, 'a scheme that there is not'],
  [rpcAddress, 'unix:///tmp/rpc.sock', false, 'a socket of the file system'],
  [natsServer, 'nats://127.0.0.1:4222', true, 'a URL'],
  [natsServer, 'tls://nats', true, 'a URL with TLS, whose port is known'],
  [natsServer, 'u:p%40ss@[::1]:4222/', true, 'without its scheme, as Go takes it'],
  [natsServer, 'nats://token@n', true, 'a token'],
  [natsServer, 'ws://n:1', false, 'another scheme'],
  [natsServer, 'nats://h h:1', false, 'white space'],
  [certificates, '/etc/ca.pem', true, 'a file'],
  [certificates, '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n', true, 'the certificate itself'],
  [certificates, '# our CA\n-----BEGIN CERTIFICATE-----\nMIIB', true, 'with words before it'],
  [certificates, '-----BEGIN PRIVATE KEY-----\nMIIB', false, 'a key'],
  [certificates, '-----BEGIN CERTIFICATE REQUEST-----\nMIIB', false, 'a request for one'],
]
for (const [kind, given, isAccepted, because] of rows) {
  test(`${JSON.stringify(given)} is ${isAccepted ? 'taken' : 'not taken'} as ${kind.placeholder}: ${because}`, () => {
    assert.equal(kind.parse(given), isAccepted ? given : undefined)
  })
}

test('what may hold a secret is hidden', () => {
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
