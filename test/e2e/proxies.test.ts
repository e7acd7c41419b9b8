/**
 * The bridge behind real proxies, with the configurations of docs/how-to/proxies.md: whose address, scheme and
 * certificate the app is told, and that a station can forge none of them.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ScriptedApp } from '../support/app.ts'
import { openBridge, type Bridge } from '../support/bridge.ts'
import { openCa, type Files } from '../support/certificate.ts'
import { keepUntil } from '../support/keep.ts'
import { blocksOf } from '../support/pages.ts'
import { freePort } from '../support/ports.ts'
import { nginxFolders, openProxy } from '../support/proxies.ts'
import { openStation, type StationOptions } from '../support/station.ts'

const keep = keepUntil(after)
const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-proxies-'))
after(() => rmSync(folder, { recursive: true }))
/** Where stations are. The proxies are at 127.0.0.1. */
const station = '127.0.0.9'
const page = 'docs/how-to/proxies.md'

let app: ScriptedApp
let certificates: Record<'good' | 'other' | 'self', Files>
let ca: string
let forwarding: Bridge
const urls: Record<string, string> = {}

before(async () => {
  const authority = await openCa(join(folder, 'ca'), 'Stations')
  ca = readFileSync(authority.cert, 'utf8')
  const server = await authority.issue('server', {
    subject: '/CN=csms',
    san: 'IP:127.0.0.1,DNS:csms.example',
    usage: 'serverAuth',
  })
  certificates = {
    good: await authority.issue('cp1', { subject: '/CN=CP1/O=Operator' }),
    other: await authority.issue('cp2', { subject: '/CN=CP2/O=Operator' }),
    self: await openCa(join(folder, 'self'), 'CP1'),
  }
  app = keep(await ScriptedApp.start())
  const flags = [
    `--rpc_host=${app.host}`,
    '--trusted_proxies=127.0.0.1',
    '--proxy_client_cert=Client-Cert',
    '--headers=x-forwarded-for,client-cert',
  ]
  const tls = [`--ssl_cert=${server.cert}`, `--ssl_key=${server.key}`]
  const bridges = await Promise.all([
    openBridge(flags),
    openBridge([...flags, '--proxy_protocol']),
    openBridge([...flags, '--proxy_protocol', ...tls]),
  ])
  const [http, proxied, proxiedTls] = bridges.map(keep) as [Bridge, Bridge, Bridge]
  forwarding = http
  urls['no proxy'] = http.url
  urls['no proxy, to a port of the PROXY protocol'] = proxied.url
  await openProxies(server, authority.cert, [http.port, proxied.port, proxiedTls.port])
})

/** With the paths and ports of the page replaced by the test's. */
async function openProxies(server: Files, trusted: string, ports: readonly [number, number, number]): Promise<void> {
  const [http, proxied, proxiedTls] = ports
  const pem = join(folder, 'csms.pem')
  writeFileSync(pem, readFileSync(server.cert, 'utf8') + readFileSync(server.key, 'utf8'))
  const port = async (name: string, scheme: 'ws' | 'wss'): Promise<string> => {
    const chosen = await freePort()
    urls[name] = `${scheme}://127.0.0.1:${chosen}/ocpp`
    return `127.0.0.1:${chosen}`
  }
  const [ofNginx = ''] = blocksOf(page, 'nginx').map(({ text }) => text)
  const nginx = ofNginx
    .replaceAll('/etc/nginx/csms.crt', server.cert)
    .replaceAll('/etc/nginx/csms.key', server.key)
    .replaceAll('/etc/nginx/stations-ca.crt', trusted)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${http}`)
  const forwarded = nginx
    .slice(nginx.indexOf('server {'))
    .replace('Forwarded ""', 'Forwarded "for=$remote_addr;proto=$scheme"')
    .replace(/proxy_set_header X-Forwarded-(For|Proto) \S+;/g, 'proxy_set_header X-Forwarded-$1 "";')
  keep(
    await openProxy(
      'nginx',
      `http {
      ${nginxFolders} access_log off;
      ${nginx.replace('listen 443', `listen ${await port('nginx', 'wss')}`)}
      ${forwarded.replace('listen 443', `listen ${await port('nginx with Forwarded', 'wss')}`)}
    }
    stream { server {
      listen ${await port('nginx with proxy_protocol on', 'ws')};
      proxy_pass 127.0.0.1:${proxied}; proxy_protocol on;
    } }`,
    ),
  )
  const [ofHttp = '', passed = '', terminated = ''] = blocksOf(page, 'HAProxy').map(({ text }) => text)
  const haproxy = [
    'defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s',
    ofHttp.replace(':443', await port('HAProxy', 'wss')).replace(':8080', `:${http}`),
    passed
      .replace('bind :8443', `bind ${await port('HAProxy, TLS at the bridge', 'wss')}`)
      .replace(':8443', `:${proxiedTls}`),
    terminated.replace(':9443', await port('HAProxy, TLS at the proxy', 'wss')).replace(':8080', `:${proxied}`),
    `listen v1\n  mode tcp\n  bind ${await port('HAProxy with send-proxy', 'ws')}`,
    `  server bridge 127.0.0.1:${proxied} send-proxy\n`,
  ]
  const paths = haproxy.join('\n').replaceAll('/etc/haproxy/csms.pem', pem)
  keep(await openProxy('haproxy', paths.replaceAll('/etc/haproxy/stations-ca.crt', trusted)))
  const [ofCaddy = ''] = blocksOf(page, 'Caddy').map(({ text }) => text)
  const caddy = ofCaddy
    .replace(/#.*(trusted_ca_cert_file .*)\n.*trust_pool.*/, '$1')
    .replace('/etc/caddy/stations-ca.crt', trusted)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${http}`)
    .replace('tls {', `bind 127.0.0.1\n  tls ${server.cert} ${server.key} {`)
  const [, chosen = ''] = (await port('Caddy', 'wss')).split(':')
  keep(await openProxy('caddy', caddy.replace('csms.example', `:${chosen}`)))
}

function optionsFor(certificate: 'good' | 'other' | 'self' | null): StationOptions {
  const files = certificate === null ? null : certificates[certificate]
  const own = files === null ? {} : { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
  return { ca, localAddress: station, ...own }
}

/** A certificate and addresses that a station invents: all that a proxy could say. */
const forged = {
  'X-Forwarded-For': '203.0.113.1',
  'X-Forwarded-Proto': 'https',
  Forwarded: 'for=203.0.113.1;proto=https',
  get 'Client-Cert'(): string {
    return encodeURIComponent(readFileSync(certificates.good.cert, 'utf8'))
  },
}

/** Caddy refuses a client whose request is for another host than its handshake, with 421. */
function named(proxy: string, options: StationOptions, headers: Readonly<Record<string, string>> = {}): StationOptions {
  if (proxy !== 'Caddy') return { ...options, headers }
  return { ...options, servername: 'csms.example', headers: { ...headers, Host: 'csms.example' } }
}

type Told = { readonly url: string; readonly headers: Readonly<Record<string, string>> }

async function told(name: string, id: string, options: StationOptions): Promise<Told> {
  const connected = await openStation(urls[name] ?? '', id, named(name, options, forged))
  try {
    const from = app.received.all.length
    const connect = () => app.received.all.slice(from).find(({ method }) => method === 'Connect')
    while (connect() === undefined) await connected.call('Heartbeat')
    return (connect()?.message as { readonly env: Told }).env
  } finally {
    await connected.close()
  }
}

const whole = 'O=Operator,CN=CP1'
const rows: readonly (readonly [
  proxy: string,
  certificate: 'good' | null,
  scheme: string,
  subject: string | undefined,
])[] = [
  ['nginx', 'good', 'https', whole],
  ['nginx', null, 'https', undefined],
  ['nginx with Forwarded', 'good', 'https', whole],
  ['nginx with proxy_protocol on', null, 'http', undefined],
  ['HAProxy', 'good', 'https', whole],
  ['HAProxy', null, 'https', undefined],
  ['HAProxy with send-proxy', null, 'http', undefined],
  ['HAProxy, TLS at the bridge', null, 'https', undefined],
  ['HAProxy, TLS at the proxy', 'good', 'https', 'CN=CP1'],
  ['HAProxy, TLS at the proxy', null, 'https', undefined],
  ['Caddy', 'good', 'https', whole],
  ['Caddy', null, 'https', undefined],
  ['no proxy', null, 'http', undefined],
]
for (const [proxy, certificate, scheme, subject] of rows) {
  const which = certificate === null ? 'without a certificate' : 'with a certificate'
  test(`the app is told the station's own address, scheme and certificate behind ${proxy}, ${which}`, async () => {
    const { url, headers } = await told(proxy, certificate === null ? 'CP3' : 'CP1', optionsFor(certificate))
    assert.equal(headers['REMOTE_ADDR'], station)
    assert.equal(new URL(url).protocol, `${scheme}:`)
    assert.equal(headers['x-ssl-client-subject'], subject)
    assert.notEqual(headers['x-forwarded-for'], forged['X-Forwarded-For'])
    // Caddy sends the text of its placeholder.
    if (certificate === null) assert.doesNotMatch(headers['client-cert'] ?? '', /^(?!:\{http\.)./)
  })
}

test("a station with another station's certificate gets 403 behind a proxy, and the log has its address", async () => {
  for (const proxy of ['nginx', 'HAProxy', 'Caddy'])
    await assert.rejects(openStation(urls[proxy] ?? '', 'CP1', named(proxy, optionsFor('other'))), { code: 403 })
  const { remoteAddress, problem } = await forwarding.logged(/a station was refused/)
  assert.deepEqual([remoteAddress, problem], [station, 'The client certificate is that of another station'])
})

test('a station with a certificate of no CA does not get through a proxy', async () => {
  for (const proxy of ['nginx', 'HAProxy', 'HAProxy, TLS at the proxy', 'Caddy'])
    await assert.rejects(openStation(urls[proxy] ?? '', 'CP1', named(proxy, optionsFor('self'))))
})

test('a station that connects to a port of the PROXY protocol is closed, whatever it sends', async () => {
  await assert.rejects(openStation(urls['no proxy, to a port of the PROXY protocol'] ?? '', 'CP1', optionsFor(null)))
})
