/**
 * The app reads from `env.url` the identity that the bridge serves, whatever the request contains.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { readHandshake } from '../../src/translate/handshake.ts'
import { ScriptedApp, type Received } from '../support/app.ts'
import { commandBroadcast, openBridge, streamOf, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { dial, frameOf, isUpgraded, opcodes, openPeer, protocol, upgradeHeaders, type Peer } from '../support/peer.ts'
import { run } from '../support/process.ts'
import { installRails } from '../support/rails.ts'
import { upgradeRequests } from '../support/targets.ts'

/** Reads URLs as anycable-rails does, and the identity as the example app does (`Rack::Utils.unescape_path`). */
const rubyReader = `
STDOUT.sync = false
File.foreach(ARGV[0]) do |line|
  uri = URI.parse(JSON.parse(line).fetch("url"))
  identity = URI::DEFAULT_PARSER.unescape(uri.path.split("/").last.to_s)
  puts JSON.generate({identity:, path: uri.path, query: uri.query, fragment: uri.fragment, userinfo: uri.userinfo})
rescue => error
  puts JSON.generate({error: error.message})
end
`
const corpusSize = 20_000

type Read = {
  readonly identity?: string
  readonly path?: string
  readonly query?: string | null
  readonly fragment?: string | null
  readonly userinfo?: string | null
  readonly error?: string
}

async function readByRuby(urls: readonly string[]): Promise<Read[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ocpp-cable-urls-'))
  try {
    const file = join(folder, 'urls')
    await writeFile(file, urls.map(url => `${JSON.stringify({ url })}\n`).join(''))
    const { code, stdout, stderr } = await run('ruby', ['-Ku', '-rjson', '-ruri', '-e', rubyReader, file])
    assert.equal(code, 0, stderr)
    return stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Read)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('Ruby and WHATWG read the same identity and query from env.url as the bridge', { timeout: 120_000 }, async () => {
  await installRails()
  const settings = { path: '/ocpp', versions: ['ocpp1.6'], defaultVersion: null, headers: [] } as const
  const served = fc.sample(upgradeRequests, corpusSize).flatMap(request => {
    const handshake = readHandshake(request, settings)
    return handshake.kind === 'station' ? [{ request, handshake }] : []
  })
  assert.ok(served.length > corpusSize / 50, `${served.length} of ${corpusSize} requests are served`)
  const reads = await readByRuby(served.map(({ handshake }) => handshake.env.url))
  assert.equal(reads.length, served.length)
  served.forEach(({ request, handshake: { stationId, env } }, at) => {
    const { pathname, search } = new URL(env.url)
    const expected = {
      identity: stationId,
      path: pathname,
      query: search === '' ? null : search.slice(1),
      fragment: null,
      userinfo: null,
    }
    assert.deepEqual(reads[at], expected, JSON.stringify({ request, url: env.url }))
    assert.equal(decodeURIComponent(pathname), `/ocpp/${stationId}`)
  })
})

/** [request target, Host header, because] */
const attacks: readonly (readonly [string, string, string])[] = [
  ['/ocpp/VICTIM', 'csms.example/ocpp/ATTACKER?', 'the Host header brings a path and turns the target into a query'],
  ['/ocpp/VICTIM', 'csms.example/ocpp/ATTACKER#', 'or into a fragment'],
  ['/ocpp/VICTIM', 'csms.example\\ocpp\\ATTACKER?', 'with backslashes'],
  ['/ocpp/VICTIM', 'csms.example/ocpp/ATTACKER;', 'as a path parameter'],
  ['/ocpp/VICTIM', 'ATTACKER@csms.example', 'user information in the Host header'],
  ['http://csms/ocpp/VICTIM#/../ATTACKER', 'csms', 'a fragment in an absolute target'],
  ['/ocpp/VICTIM#/ATTACKER', 'csms', 'in a relative one'],
  ['/ocpp/VICTIM/../ATTACKER', 'csms', 'dot segments'],
  ['/ocpp/ATTACKER/../VICTIM', 'csms', 'the other way round'],
  ['/ocpp/VICTIM/%2e%2E/ATTACKER', 'csms', 'encoded dot segments'],
  ['/ocpp/..', 'csms.example/ocpp/ATTACKER', 'an identity of dots, which parsers remove'],
  ['/ocpp/%2e', 'csms.example/ocpp/ATTACKER', 'of one, encoded'],
  ['http:///ocpp/VICTIM', 'csms', 'an absolute target without a host'],
  ['http://csms/ocpp/ATTACKER?/ocpp/VICTIM', 'csms', 'a path in the query'],
  ['http://csms?/ocpp/VICTIM', 'csms/ocpp/ATTACKER', 'a query right after the host'],
  ['http://csms#@x/ocpp/VICTIM', 'csms', 'a fragment right after the host'],
  ['http://csms\\@x/ocpp/VICTIM', 'csms', 'a backslash right after the host'],
  ['/ocpp/VICTIM?/ocpp/ATTACKER', 'csms', "the attacker's path in the query"],
  ['/ocpp/VICTIM%3F/ATTACKER', 'csms', 'an encoded question mark'],
  ['/ocpp/VICTIM%2F..%2FATTACKER', 'csms', 'encoded slashes'],
  ['/ocpp/ATTACKER%2F..%2FVICTIM', 'csms', 'the other way round'],
  ['/ocpp/VICTIM\\..\\ATTACKER', 'csms', 'backslashes'],
  ['/ocpp/VICTIM;/ATTACKER', 'csms', 'a path parameter'],
  ['/ocpp/VICTIM%00ATTACKER', 'csms', 'an encoded NUL'],
  ['/ocpp/%56ICTIM', 'csms', 'an encoded letter'],
]

const credentials = (identity: string): string =>
  `Basic ${Buffer.from(`${identity}:pw-${identity}`).toString('base64')}`

type Env = { readonly url: string; readonly headers: Readonly<Record<string, string>> }

const identityIn = ({ url }: Env): string => decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')

for (const flag of ['--ocpp_sn=station_id', '--ocpp_sn=serial']) {
  describe(`a station with credentials of its own, ${flag}`, { timeout: 60_000 }, () => {
    let app: ScriptedApp
    let bridge: Bridge
    let victim: Peer
    /** For each subscription: the identity that the app accepted, and the one that the bridge subscribes. */
    const subscriptions: { readonly known: string; readonly sn: string }[] = []

    /** Accepts a station with the credentials of the identity in `env.url`, and streams to it by its `sn`. */
    function reply({ method, message }: Received): object {
      const { env, command, identifier = '' } = message as { env: Env; command?: string; identifier?: string }
      if (method === 'Connect') {
        if (env.headers['authorization'] !== credentials(identityIn(env))) return { status: 'FAILURE' }
        return { status: 'SUCCESS', identifiers: JSON.stringify({ station_id: identityIn(env) }) }
      }
      if (command !== 'subscribe') return { status: 'SUCCESS' }
      const { sn } = JSON.parse(identifier) as { sn: string }
      subscriptions.push({ known: identityIn(env), sn })
      return { status: 'SUCCESS', streams: [streamOf(sn)] }
    }

    const keep = keepUntil(after)

    before(async () => {
      app = keep(await ScriptedApp.start())
      app.always(reply)
      bridge = keep(await openBridge([`--rpc_host=${app.host}`, flag]))
      victim = await openPeer(bridge.port, '/ocpp/VICTIM', [
        protocol('ocpp1.6'),
        `Authorization: ${credentials('VICTIM')}`,
      ])
      victim.write(frameOf('[2,"1","Heartbeat",{}]'))
      await victim.next(opcodes.text)
    })

    /** Upgrades and sends a Heartbeat; resolves once that is answered, or the connection is refused or closed. */
    async function attack(target: string, host: string, address?: string): Promise<Peer> {
      const lines = [
        `GET ${target} HTTP/1.1`,
        `Host: ${host}`,
        ...upgradeHeaders,
        protocol('ocpp1.6'),
        `Authorization: ${credentials('ATTACKER')}`,
      ]
      const attacker = await dial(bridge.port, lines, Buffer.alloc(0), address)
      if (!isUpgraded(attacker)) return attacker
      attacker.write(frameOf('[2,"1","Heartbeat",{}]'))
      await attacker.next(opcodes.text)
      return attacker
    }

    attacks.forEach(([target, host, because], at) => {
      test(`does not become VICTIM through ${target} and Host ${host}: ${because}`, async () => {
        const before = subscriptions.length
        // An address of its own: rejections are remembered for an address, and would answer for the app.
        const attacker = await attack(target, host, `127.0.1.${at + 1}`)
        assert.match(attacker.head, /^HTTP\/1\.1 (?:101|400|404) /)
        const id = `reset-${at}`
        await bridge.broadcast(commandBroadcast('VICTIM', { command: 'Reset', id, payload: { type: 'Soft' } }))
        const { payload } = await victim.next(opcodes.text)
        assert.match(payload.toString(), new RegExp(`^\\[2,"${id}","Reset"`), 'the victim gets its commands')
        victim.write(frameOf(JSON.stringify([3, id, { status: 'Accepted' }])))
        attacker.socket.destroy()
        const said = attacker.received.map(frame => frame.payload.toString())
        assert.ok(!said.some(text => text.includes('Reset')), `the attacker got ${said.join()}`)
        for (const { known, sn } of subscriptions.slice(before)) {
          assert.equal(sn, known, 'the app and the bridge mean the same station')
          assert.notEqual(sn, 'VICTIM')
        }
      })
    })

    test('connects as itself through its own path', async () => {
      const attacker = await attack('/ocpp/ATTACKER', 'csms')
      attacker.socket.destroy()
      assert.deepEqual(subscriptions.at(-1), { known: 'ATTACKER', sn: 'ATTACKER' })
    })
  })
}

test('stations with an invalid Host header are served with one warning', { timeout: 60_000 }, async t => {
  const app = await ScriptedApp.start()
  t.after(() => app.stop())
  const urls: string[] = []
  app.always(({ method, message }) => {
    if (method === 'Connect') urls.push((message['env'] as Env).url)
    return { status: 'SUCCESS', ...(method === 'Connect' && { identifiers: '{}' }) }
  })
  const bridge = await openBridge([`--rpc_host=${app.host}`])
  t.after(() => bridge.close())
  for (const host of ['CP0:secret@csms:80:81', '2001:db8::1', 'csms.example:99999']) {
    const lines = ['GET /ocpp/CP01?x=1 HTTP/1.1', `Host: ${host}`, ...upgradeHeaders, protocol('ocpp1.6')]
    const peer = await dial(bridge.port, lines)
    peer.write(frameOf('[2,"1","Heartbeat",{}]'))
    await peer.next(opcodes.text)
    peer.socket.destroy()
  }
  assert.deepEqual(urls, Array<string>(3).fill(`http://127.0.0.1:${bridge.port}/ocpp/CP01?x=1`))
  await bridge.close() // so that the log is complete
  const warnings = bridge.log().filter(({ msg }) => msg.includes('Host header'))
  assert.deepEqual(
    warnings.map(({ level, station, remoteAddress, host }) => [level, station, remoteAddress, host]),
    [['WARN', 'CP01', '127.0.0.1', '***@csms:80:81']],
  )
})
