/**
 * A real Prometheus and its promtool. Debian's package is unpacked into the user's cache, so that no service is
 * started.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheFolder } from './cache.ts'
import { freePort } from './ports.ts'
import { openProcess, run, type Result } from './process.ts'

const folder = cacheFolder('prometheus')
const env = { PATH: `${process.env['PATH'] ?? ''}:${join(folder, 'usr/bin')}` }

const lookEveryMs = 100

/** Unpacks Prometheus if it is missing. Test files that run in parallel may all call it. */
export async function installPrometheus(): Promise<void> {
  const isThere = async () => (await run('promtool', ['--version'], { env })).code === 0
  if (await isThere()) return
  const made = await mkdtemp(join(tmpdir(), 'ocpp-cable-prometheus-'))
  try {
    const download = () => run('apt-get', ['download', 'prometheus'], { cwd: made })
    // The package lists may be old or missing.
    if ((await download()).code !== 0) {
      await run('apt-get', ['update'])
      await download()
    }
    const [name] = (await readdir(made)).filter(file => file.endsWith('.deb'))
    if (name !== undefined) await unpack(join(made, name))
  } finally {
    await rm(made, { recursive: true })
  }
  if (!(await isThere())) throw new Error('Prometheus is missing. On Debian: apt-get install prometheus')
}

async function unpack(archive: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const unpacked = await mkdtemp(`${folder}-`)
  await run('dpkg-deb', ['--extract', archive, unpacked])
  // Another process may have been faster.
  if (existsSync(folder)) await rm(unpacked, { recursive: true })
  else await rename(unpacked, folder)
}

/** Runs promtool to its end. */
export async function promtool(...args: readonly string[]): Promise<Result> {
  await installPrometheus()
  return run('promtool', args, { env })
}

/** An alert as Prometheus lists it. */
export type Alert = {
  readonly state: 'pending' | 'firing'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** What is scraped, by the value of its label `job`: ports of 127.0.0.1. */
export type Targets = Readonly<Record<string, readonly number[]>>

export interface Prometheus {
  /** All that are pending or firing now. */
  alerts(): Promise<readonly Alert[]>
  /** Resolves with the alert once it is firing; rejects after `withinMs`. */
  firing(name: string, job: string, withinMs: number): Promise<Alert>
  /** The values of an expression now. */
  query(expression: string): Promise<readonly number[]>
  close(): Promise<void>
}

/**
 * Starts a server that scrapes each second; resolves when it answers.
 *
 * @param rules the text of a file of rules
 */
export async function openPrometheus(targets: Targets, rules: string): Promise<Prometheus> {
  await installPrometheus()
  const port = await freePort()
  const data = await mkdtemp(join(tmpdir(), 'ocpp-cable-prometheus-'))
  const config = join(data, 'prometheus.yml')
  await writeFile(join(data, 'rules.yml'), rules)
  await writeFile(config, JSON.stringify(configOf(targets)))
  const server = openProcess(
    'prometheus',
    [`--config.file=${config}`, `--storage.tsdb.path=${data}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { env },
  )
  const close = async () => {
    await server.close()
    await rm(data, { recursive: true, force: true })
  }
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return ((await response.json()) as { readonly data: unknown }).data
  }
  const alerts = async () => ((await get('/api/v1/alerts')) as { readonly alerts: Alert[] }).alerts
  try {
    await server.line(/Server is ready to receive web requests/)
  } catch (error) {
    await close()
    throw error
  }
  return {
    alerts,
    firing: async (name, job, withinMs) => {
      const deadline = Date.now() + withinMs
      for (;;) {
        const listed = await alerts()
        const alert = listed.find(
          ({ state, labels }) => state === 'firing' && labels['alertname'] === name && labels['job'] === job,
        )
        if (alert !== undefined) return alert
        if (Date.now() > deadline)
          throw new Error(`${name} of ${job} does not fire in ${withinMs} ms: ${JSON.stringify(listed)}`)
        await sleep(lookEveryMs)
      }
    },
    query: async expression => {
      const { result } = (await get(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as {
        readonly result: readonly { readonly value: readonly [number, string] }[]
      }
      return result.map(({ value }) => Number(value[1]))
    },
    close,
  }
}

/** JSON is YAML. */
function configOf(targets: Targets): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '500ms' },
    rule_files: ['rules.yml'],
    scrape_configs: Object.entries(targets).map(([job, ports]) => ({
      job_name: job,
      static_configs: [{ targets: ports.map(port => `127.0.0.1:${port}`) }],
    })),
  }
}
