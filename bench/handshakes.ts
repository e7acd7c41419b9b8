/**
 * `npm run bench:tls`: what a reconnect costs the bridge where certificates of stations are asked for, and no session
 * is resumed, beside one whose session is. Each connection is closed after its handshake and one answered request.
 *
 *   --quick   a few connections: shows that it works, not how fast
 */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'node:tls'
import { parseArgs } from 'node:util'
import { openBridge } from '../test/support/bridge.ts'
import { openCa, type Ca, type Files } from '../test/support/certificate.ts'
import { cpuSeconds } from './measure.ts'
import { print } from './print.ts'
import { markdownTable, median, ratio } from './table.ts'

const { values: flags } = parseArgs({ options: { quick: { type: 'boolean' } } })
const plan = flags.quick ? { rounds: 1, connections: 100 } : { rounds: 5, connections: 500 }

type Case = { readonly name: string; readonly isRsa: boolean; readonly isResumed: boolean }
const cases: readonly Case[] = [
  { name: 'session resumed, RSA', isRsa: true, isResumed: true },
  { name: 'session resumed, ECDSA', isRsa: false, isResumed: true },
  { name: 'client certificate, RSA', isRsa: true, isResumed: false },
  { name: 'client certificate, ECDSA', isRsa: false, isResumed: false },
]

/** Connects, has a request answered, and leaves. Returns the session for the next time, if there is one. */
async function visit(options: ConnectionOptions): Promise<Buffer | undefined> {
  const socket = connect({ host: '127.0.0.1', servername: 'csms.example', maxVersion: 'TLSv1.2', ...options })
  socket.end('GET /health HTTP/1.1\r\nHost: csms.example\r\nConnection: close\r\n\r\n')
  socket.resume()
  await once(socket, 'secureConnect')
  const session = socket.getSession()
  if (options.session !== undefined && !socket.isSessionReused()) throw new Error('the session is not resumed')
  await once(socket, 'close')
  return session
}

/** CPU time of the bridge for one connection, in µs, round by round. */
async function measure({ isRsa, isResumed }: Case, ca: Ca, server: Files): Promise<number[]> {
  const trust = isResumed ? [] : [`--ssl_client_ca=${ca.cert}`]
  const bridge = await openBridge([`--ssl_cert=${server.cert}`, `--ssl_key=${server.key}`, ...trust])
  try {
    const own = await ca.issue('station', { subject: '/CN=CP1', rsa: isRsa })
    const files = isResumed ? {} : { cert: readFileSync(own.cert), key: readFileSync(own.key) }
    const options = { port: bridge.port, ca: readFileSync(ca.cert), ...files }
    const session = await visit(options)
    const again = isResumed && session !== undefined ? { ...options, session } : options
    const pid = bridge.process.pid ?? 0
    const rounds: number[] = []
    for (let round = 0; round <= plan.rounds; round += 1) {
      const before = cpuSeconds(pid)
      for (let count = 0; count < plan.connections; count += 1) await visit(again)
      rounds.push(((cpuSeconds(pid) - before) * 1e6) / plan.connections)
    }
    return rounds.slice(1) // the first one warms up
  } finally {
    await bridge.close()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-handshakes-'))
try {
  print(`${availableParallelism()} cores, Node.js ${process.version}\n`)
  const ca = await openCa(folder, 'Stations')
  const measured: (readonly [name: string, micros: readonly number[], isRsa: boolean])[] = []
  for (const each of cases) {
    const usage = { usage: 'serverAuth', rsa: each.isRsa } as const
    const server = await ca.issue('server', { subject: '/CN=csms', san: 'DNS:csms.example', ...usage })
    measured.push([each.name, await measure(each, ca, server), each.isRsa])
  }
  const resumed = (isRsa: boolean): readonly number[] => measured.find(row => row[2] === isRsa)?.[1] ?? []
  print(
    markdownTable(
      ['connection', 'CPU of the bridge, µs', 'times a resumed one'],
      measured.map(([name, micros, isRsa]) => [name, median(micros).toFixed(0), ratio(micros, resumed(isRsa))]),
    ),
  )
} finally {
  rmSync(folder, { recursive: true })
}
