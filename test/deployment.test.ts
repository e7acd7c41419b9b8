/**
 * The files of examples/deploy, read by parsers: their flags, variables, ports and paths are those of the option table.
 * The proxies' files run in test/e2e/quiet-stations.test.ts.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'
import type { Config } from '../src/config/rules.ts'
import { run } from './support/process.ts'
import { configOf, imageEnv, type Env } from './support/starts.ts'

const folder = fileURLToPath(new URL('../examples/deploy/', import.meta.url))
const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
const secondMs = 1_000
const hourMs = 3_600_000

type Probe = { readonly timeoutSeconds?: number; readonly httpGet: { readonly path: string; readonly port: string } }
type Hook = { readonly exec: { readonly command: readonly string[] } }
type Container = {
  readonly name: string
  readonly image: string
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly lifecycle: { readonly preStop: Hook }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly securityContext: Readonly<Record<string, unknown>>
}
type Pod = {
  readonly terminationGracePeriodSeconds: number
  readonly securityContext?: { readonly fsGroup: number }
  readonly containers: readonly Container[]
}
type Labels = Readonly<Record<string, string>>
type Resource = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly replicas?: number
    readonly serviceName?: string
    readonly clusterIP?: string
    readonly maxUnavailable?: number
    readonly selector: Labels | { readonly matchLabels: Labels }
    readonly ports?: readonly { readonly port: number; readonly targetPort: string }[]
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  }
}

/** The `ocpp-cable …` of a comment, which says what a proxy stands in front of. */
function commandIn(text: string): string[] {
  const [, command = ''] = /ocpp-cable (--[^`\n]+)/.exec(text) ?? []
  assert.notEqual(command, '')
  return command.split(' ')
}

/** The first group of a pattern, in each place. */
const all = (text: string, pattern: RegExp) => Array.from(text.matchAll(pattern), ([, found = '']) => found)

/** In front of the bridge that the file's comment starts. */
function assertProxies(text: string, timeouts: number): void {
  const config = configOf({ argv: commandIn(text) })
  const code = text.replace(/^\s*#.*$/gm, '')
  assert.deepEqual(all(code, /(127\.0\.0\.1:\d+)/g), [`${config.server.host}:${config.server.port}`])
  const paths = all(code, /(?:location|handle|path_beg) (\S+?)\*?(?: |\n)/g)
  assert.deepEqual(paths, [`${config.ocpp.path}/`])
  assert.deepEqual(all(code, /(?:timeout tunnel|proxy_\w+_timeout) (\S+?);?\n/g), Array(timeouts).fill('1h'))
  assert.ok(hourMs > config.ocpp.leastIdleTimeoutMs && hourMs > config.ocpp.pingIntervalMs)
  // What a station could forge.
  assert.match(code, /(Forwarded ""|del-header Forwarded|header_up -Forwarded)/)
}

function resourcesOf(text: string): readonly Resource[] {
  const documents = parseAllDocuments(text)
  assert.deepEqual(
    documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
    [],
  )
  return documents.map(document => document.toJS() as Resource)
}

/** Each API version is the one that Kubernetes has served since 1.21. */
const apiVersions: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  Service: 'v1',
  PodDisruptionBudget: 'policy/v1',
}

const preStopSeconds = ({ lifecycle }: Container): number => {
  const [sleep, seconds = ''] = lifecycle.preStop.exec.command
  assert.equal(sleep, 'sleep')
  return Number(seconds)
}

function assertPods(text: string, kind: 'Deployment' | 'StatefulSet', readiness: 'readyPath' | 'healthPath'): Config {
  const resources = resourcesOf(text)
  const ofKind = (which: string) => resources.filter(each => each.kind === which)
  const [[set], [budget], services] = [ofKind(kind), ofKind('PodDisruptionBudget'), ofKind('Service')] as const
  for (const each of resources) assert.equal(each.apiVersion, apiVersions[each.kind], each.kind)
  const { template, replicas = 1, selector } = set?.spec ?? {}
  const labels = template?.metadata.labels
  assert.deepEqual(selector, { matchLabels: labels })
  for (const { spec } of services) assert.deepEqual(spec.selector, labels)
  assert.deepEqual([budget?.spec.selector, budget?.spec.maxUnavailable], [{ matchLabels: labels }, 1])
  assert.ok(replicas > 1)

  const pod = template?.spec
  const bridge = pod?.containers.find(({ name }) => name === 'ocpp-cable')
  assert.ok(pod && bridge)
  const given = Object.fromEntries(bridge.env.map(({ name, value }) => [name, value]))
  const config = configOf({ env: { ...imageEnv, ...given } })
  const ports = { ocpp: config.server.port, metrics: config.metrics.port }
  assert.deepEqual(Object.fromEntries(bridge.ports.map(({ name, containerPort }) => [name, containerPort])), ports)
  for (const { spec } of services)
    assert.deepEqual(
      spec.ports?.map(({ targetPort }) => targetPort),
      ['ocpp'],
    )
  assert.deepEqual(bridge.livenessProbe.httpGet, { path: config.server.healthPath, port: 'ocpp' })
  assert.deepEqual(bridge.readinessProbe.httpGet, { path: config.server[readiness], port: 'ocpp' })
  // In a wave of reconnects, the default of 1 s would kill the pod.
  assert.deepEqual([bridge.livenessProbe.timeoutSeconds, bridge.readinessProbe.timeoutSeconds], [10, 10])
  const endsMs = preStopSeconds(bridge) * secondMs + config.lifecycle.shutdownTimeoutMs
  assert.ok(pod.terminationGracePeriodSeconds * secondMs > endsMs)
  for (const other of pod.containers.filter(each => each !== bridge)) {
    // It serves the bridge to its end.
    const outlivesMs = preStopSeconds(other) * secondMs
    assert.ok(outlivesMs > endsMs && outlivesMs < pod.terminationGracePeriodSeconds * secondMs)
  }
  assert.deepEqual(bridge.securityContext, {
    runAsNonRoot: true,
    runAsUser: 1000,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  })
  return config
}

function assertStatefulSet(text: string): void {
  const config = assertPods(text, 'StatefulSet', 'healthPath')
  const resources = resourcesOf(text)
  const { template, serviceName, volumeClaimTemplates } =
    resources.find(({ kind }) => kind === 'StatefulSet')?.spec ?? {}
  const mounts = template?.spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts)
  assert.deepEqual(
    mounts?.map(({ name }) => name),
    volumeClaimTemplates?.map(({ metadata }) => metadata.name),
  )
  // A volume's own folder belongs to root: the bridge makes one of its own in it.
  assert.ok(config.state.dir?.startsWith(`${mounts?.[0]?.mountPath}/`))
  assert.equal(template?.spec.securityContext?.fsGroup, 1000)
  assert.ok(resources.some(({ metadata, spec }) => metadata.name === serviceName && spec.clusterIP === 'None'))
}

function assertKamal(text: string): void {
  type Accessory = { port: string; env: { clear: Env }; options: Readonly<Record<string, unknown>> }
  const { accessories } = parse(text) as { accessories: Record<string, Accessory> }
  const { port, env, options = {} } = accessories['ocpp-cable'] ?? {}
  const config = configOf({ env: { ...imageEnv, ...env?.clear } })
  assert.equal(port?.split(':').at(-1), String(config.server.port))
  assert.ok(Number(options['stop-timeout']) * secondMs > config.lifecycle.shutdownTimeoutMs)
  const { 'read-only': readOnly, 'cap-drop': dropped, 'security-opt': security } = options
  assert.deepEqual([readOnly, dropped, security], [true, 'ALL', 'no-new-privileges'])
}

function assertProcfile(text: string): void {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const commands = new Map(
    lines.map(line => {
      const [, name = '', command = ''] = /^([A-Za-z0-9_-]+):\s*(.+)$/.exec(line) ?? []
      return [name, command] as const
    }),
  )
  assert.deepEqual([...commands.keys()], ['web', 'rpc', 'ocpp'])
  const [, ...argv] = commands.get('ocpp')?.split(' ') ?? []
  // As foreman sets it for the third process.
  const config = configOf({ argv, env: { PORT: '5200' } })
  assert.equal(config.server.port, 8080)
  for (const app of ['web', 'rpc'])
    assert.ok(commands.get(app)?.includes(`ANYCABLE_NATS_SERVERS=${config.broadcast.natsServers.join(',')} `))
}

function assertUnit(text: string): void {
  const [, environment = ''] = /^Environment=(.*)$/m.exec(text) ?? []
  const variables = environment.split(' ').map(each => each.split('=') as [string, string])
  const env = Object.fromEntries(variables.filter(([name]) => name.startsWith('ANYCABLE_')))
  const [, command = ''] = /^ExecStart=\S+ (.*)$/m.exec(text) ?? []
  const argv = [...command.split(' '), '--nats_servers=nats://nats:4222']
  const config = configOf({ argv, env })
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]
  assert.equal(config.state.dir, `/var/lib/${setting('StateDirectory')}`)
  assert.ok(Number(setting('TimeoutStopSec')) * secondMs > config.lifecycle.shutdownTimeoutMs)
  assert.ok(Number(setting('LimitNOFILE')) > 10_000)
}

const rows: Readonly<Record<string, (text: string) => void>> = {
  'ocpp-cable.service': assertUnit,
  Procfile: assertProcfile,
  'kamal.yml': assertKamal,
  'kubernetes.yml': text => void assertPods(text, 'Deployment', 'readyPath'),
  'kubernetes-deployment.yml': text => void assertPods(text, 'Deployment', 'readyPath'),
  'kubernetes-statefulset.yml': assertStatefulSet,
  'nginx.conf': text => assertProxies(text, 2),
  'haproxy.cfg': text => assertProxies(text, 1),
  Caddyfile: text => assertProxies(text, 0),
}
for (const [file, assertFits] of Object.entries(rows)) {
  test(`examples/deploy/${file} is in step with the option table`, () => assertFits(read(file)))
}

test('each file of examples/deploy is checked', () => {
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(rows).sort())
})

const hasSystemd = (await run('systemd-analyze', ['--version'])).code === 0

test('the systemd unit is one, and is hardened', { skip: !hasSystemd }, async t => {
  const scratch = mkdtempSync(join(tmpdir(), 'ocpp-cable-unit-'))
  t.after(() => rmSync(scratch, { recursive: true }))
  const file = join(scratch, 'ocpp-cable.service')
  // The program is not installed here.
  writeFileSync(file, read('ocpp-cable.service').replace('/usr/bin/ocpp-cable', '/bin/true'))
  const verified = await run('systemd-analyze', ['verify', file])
  assert.deepEqual([verified.code, verified.stderr], [0, ''])
  // Of 100; below 20 is what systemd calls OK.
  const rated = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', file])
  assert.equal(rated.code, 0, rated.stdout)
})
