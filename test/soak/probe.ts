/**
 * Looks into the built program while it runs: loaded into it at its start, it tells on SIGUSR2 what is alive after its
 * garbage is collected. Nothing of the program knows of it.
 */
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { program, type Bridge } from '../support/bridge.ts'

export type Alive = {
  /** Instances by class: a session, what may outlive it for a while, and the sockets below. */
  readonly objects: Readonly<Record<string, number>>
  /** What keeps the process running, timers among them. */
  readonly resources: Readonly<Record<string, number>>
  /** In bytes. */
  readonly heap: number
  readonly resident: number
}

const dist = new URL('../dist/', pathToFileURL(program))
/** To count one takes as long as to collect all garbage: these are not all. */
const classes = {
  Session: 'station/session.js',
  AppConnection: 'station/connection.js',
  OutgoingCalls: 'station/calls.js',
  Outcomes: 'station/outcomes.js',
  Ending: 'station/ending.js',
}
const modules = Object.entries(classes).map(([name, file]) => [name, new URL(file, dist).href])
const ws = pathToFileURL(createRequire(fileURLToPath(dist)).resolve('ws')).href

const source = `
import { Socket } from 'node:net'
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
process.on('SIGUSR2', async () => {
  const count = value => queryObjects(value, { format: 'count' })
  const { default: WebSocket } = await import(${JSON.stringify(ws)})
  const objects = { Socket: count(Socket), WebSocket: count(WebSocket) }
  for (const [name, url] of ${JSON.stringify(modules)}) objects[name] = count((await import(url))[name])
  gc()
  const resources = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const { heapUsed: heap, rss: resident } = process.memoryUsage()
  process.stdout.write('alive: ' + JSON.stringify({ objects, resources, heap, resident }) + '\\n')
})`

/** What the program is started with, so that it can be looked into. */
export const probed = {
  NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import data:text/javascript;base64,${Buffer.from(source).toString('base64')}`,
}

export async function look({ process }: Bridge): Promise<Alive> {
  const from = process.lines.length
  process.signal('SIGUSR2')
  const line = await process.line(/^alive: /, from)
  return JSON.parse(line.slice('alive: '.length)) as Alive
}
