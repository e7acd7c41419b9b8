/** Authentication of the bridge and of NATS: each kind of credentials, against a real server that requires it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type ConnectionOptions, credsAuthenticator, nkeyAuthenticator } from 'nats'
import type { NatsOptions } from '../../src/broadcast/nats.ts'
import { makeAccount, makeCertificate, nkeys, seedOf } from './nats-keys.ts'
import { freePort } from '../support/ports.ts'
import { NatsServer } from './nats-server.ts'
import { open, publish, setUp, SUBSCRIBED, temporaryFolder, RETRYING } from './nats-site.ts'

type Way = {
  /** The arguments of the server. */
  readonly server: readonly string[]
  readonly right: Partial<NatsOptions>
  readonly wrong: Partial<NatsOptions>
  /** The options of the publisher, which uses the library directly. */
  readonly app: ConnectionOptions
}

/** The files of one test. */
class Files {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  write(name: string, text: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, text)
    return path
  }

  certificate(...[name, ca]: readonly [string, Parameters<typeof makeCertificate>[2]?]) {
    return makeCertificate(this.#folder, name, ca)
  }
}

const at = (user: string, port: number) => ({ servers: [`nats://${user}127.0.0.1:${port}`] })

/** Credentials without an address use the plain address of the server. */
const ways: Readonly<Record<string, (files: Files, port: number) => Way>> = {
  'a token in the URL': (_, port) => ({
    server: ['--auth', 's3cr3t'],
    right: at('s3cr3t@', port),
    wrong: at('s3cr3ts@', port),
    app: { token: 's3cr3t' },
  }),
  'a token beside the URL': () => ({
    server: ['--auth', '4222:s3cr3t@'],
    right: { token: '4222:s3cr3t@' },
    wrong: { token: '4222' },
    app: { token: '4222:s3cr3t@' },
  }),
  'user and password in the URL': (_, port) => ({
    server: ['--user', 'app', '--pass', 's3cr3t'],
    right: at('app:s3cr3t@', port),
    wrong: at('app:other@', port),
    app: { user: 'app', pass: 's3cr3t' },
  }),
  'the seed of an nkey, bare': files => nkeyWay(files, seed => `${seed}\n`),
  'the seed of an nkey, as a tool frames it': files =>
    nkeyWay(files, seed => `-----BEGIN USER NKEY SEED-----\r\n${seed}\r\n------END USER NKEY SEED------\r\n`),
  'a credentials file': files => {
    const [ours, other] = [makeAccount(), makeAccount()]
    return {
      server: ['-c', files.write('server.conf', ours.serverConfig)],
      right: { credentialsFile: files.write('right.creds', ours.makeUser()) },
      wrong: { credentialsFile: files.write('wrong.creds', other.makeUser()) },
      app: { authenticator: credsAuthenticator(Buffer.from(ours.makeUser())) },
    }
  },
  'a server of a private CA': files => {
    const ca = files.certificate('ca')
    const { cert, key } = files.certificate('server', ca)
    return {
      server: ['--tls', '--tlscert', cert, '--tlskey', key],
      right: { tls: { caFile: ca.cert } },
      wrong: { tls: { caFile: files.certificate('another-ca').cert } },
      app: { tls: { caFile: ca.cert } },
    }
  },
  'a client certificate': files => {
    const ca = files.certificate('ca')
    const [server, client] = [files.certificate('server', ca), files.certificate('client', ca)]
    const stranger = files.certificate('stranger')
    const tls = { caFile: ca.cert, certFile: client.cert, keyFile: client.key }
    return {
      server: ['--tlsverify', '--tlscert', server.cert, '--tlskey', server.key, '--tlscacert', ca.cert],
      right: { tls },
      wrong: { tls: { caFile: ca.cert, certFile: stranger.cert, keyFile: stranger.key } },
      app: { tls },
    }
  },
}

function nkeyWay(files: Files, fileOf: (seed: string) => string): Way {
  const [ours, other] = [nkeys.createUser(), nkeys.createUser()]
  const config = `authorization { users = [{ nkey: ${ours.getPublicKey()} }] }`
  return {
    server: ['-c', files.write('server.conf', config)],
    right: { nkeySeedFile: files.write('right.nk', fileOf(seedOf(ours))) },
    wrong: { nkeySeedFile: files.write('wrong.nk', fileOf(seedOf(other))) },
    app: { authenticator: nkeyAuthenticator(ours.getSeed()) },
  }
}

describe('credentials for NATS', { concurrency: 4, timeout: 120_000 }, () => {
  for (const [name, make] of Object.entries(ways)) {
    test(`${name} connects, also after a restart of the server, and wrong credentials log a warning`, async t => {
      const server = new NatsServer(await freePort())
      t.after(() => server.kill())
      const { server: args, right, wrong, app } = make(new Files(temporaryFolder(t)), server.port)
      await server.start(...args)
      const stranger = await open(t, { ...at('', server.port), ...wrong })
      assert.equal(stranger.subscription.connected(), false, 'let in with a wrong one')
      assert.notEqual(stranger.log.found('warn', RETRYING).length, 0)
      assert.doesNotMatch(JSON.stringify(stranger.log.lines), /s3cr3t|SU[A-Z2-7]{56}/, 'the log never shows it')

      const { log, delivered } = await open(t, { ...at('', server.port), ...right })
      await log.waitFor('info', SUBSCRIBED)
      await publish(server.url, ['before'], app)
      await delivered.waitFor(1)
      await server.kill()
      await log.waitFor('warn', 'disconnected')
      await server.start(...args)
      await log.waitFor('info', SUBSCRIBED, 2)
      await publish(server.url, ['after'], app)
      assert.deepEqual(await delivered.waitFor(2), ['before', 'after'])
      assert.equal(stranger.subscription.connected(), false, 'let in after the restart')
    })
  }
})

test('a server that requires a client certificate rejects a connection without one', async t => {
  const files = new Files(temporaryFolder(t))
  const ca = files.certificate('ca')
  const { cert, key } = files.certificate('server', ca)
  const server = await setUp(t, '--tlsverify', '--tlscert', cert, '--tlskey', key, '--tlscacert', ca.cert)
  const { subscription, log } = await open(t, { ...at('', server.port), tls: { caFile: ca.cert } })
  assert.equal(subscription.connected(), false)
  assert.notEqual(log.found('warn', RETRYING).length, 0)
})

test('a server without TLS receives nothing when a CA is configured', async t => {
  let heard = ''
  const plain = createServer(socket => {
    socket.on('error', () => null)
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
    socket.write('INFO {"server_id":"x","version":"2.9.0","proto":1,"max_payload":1048576,"auth_required":true}\r\n')
  }).listen(0, '127.0.0.1')
  t.after(() => plain.close())
  await once(plain, 'listening')
  const { port } = plain.address() as AddressInfo
  const ca = new Files(temporaryFolder(t)).certificate('ca')
  const { subscription, log } = await open(t, { ...at('u:s3cr3t@', port), tls: { caFile: ca.cert } })
  await once(plain, 'connection')
  assert.equal(subscription.connected(), false)
  assert.notEqual(log.found('warn', RETRYING).length, 0)
  assert.doesNotMatch(heard, /CONNECT|s3cr3t/)
})

const faults: readonly [text: string, option: 'nkeySeedFile' | 'credentialsFile', expected: RegExp, because: string][] =
  [
    ['', 'nkeySeedFile', /contains no NATS user seed/, 'an empty file'],
    [seedOf(nkeys.createAccount()), 'nkeySeedFile', /contains no NATS user seed/, 'the seed of an account'],
    [nkeys.createUser().getPublicKey(), 'nkeySeedFile', /contains no NATS user seed/, 'the public key'],
    [`SU${'A'.repeat(56)}`, 'nkeySeedFile', /contains no NATS user seed/, 'a seed with a wrong checksum'],
    [seedOf(nkeys.createUser()), 'credentialsFile', /is not a NATS credentials file/, 'a seed without its JWT'],
    ['', 'credentialsFile', /is not a NATS credentials file/, 'an empty file'],
  ]
for (const [text, option, expected, because] of faults) {
  test(`${option} with ${because} prevents the start and names the file`, async t => {
    const file = new Files(temporaryFolder(t)).write('the-file', text)
    const problem = await open(t, { ...at('', 1), [option]: file }).then(() => assert.fail('it started'), String)
    assert.match(problem, expected)
    assert.match(problem, /the-file/)
    assert.doesNotMatch(problem, /\bS[UA][A-Z2-7]{56}/)
  })
}
