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
  /** In all Maps, and in all Sets. */
  readonly entries: Readonly<Record<string, number>>
  /** In bytes: on the heap, in buffers beside it, and as the system counts the whole process. */
  readonly heap: number
  readonly external: number
  readonly resident: number
}

const dist = new URL('../dist/', pathToFileURL(program))
/** To count one takes as long as to collect all garbage: these are not all. */
const classes = {
  Session: 'session/session.js',
  AppConnection: 'session/app/connection.js',
  Commands: 'session/commands/commands.js',
  Outcomes: 'session/commands/outcomes.js',
  Ending: 'session/ending.js',
}
const modules = Object.entries(classes).map(([name, file]) => [name, new URL(file, dist).href])
const ws = pathToFileURL(createRequire(fileURLToPath(dist)).resolve('ws')).href

const source = `
import { Session } from 'node:inspector/promises'
import { Socket } from 'node:net'
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
async function entriesOf(name) {
  const inspector = new Session()
  inspector.connect()
  const { result: { objectId: prototypeObjectId } } = await inspector.post('Runtime.evaluate', { expression: name + '.prototype' })
  const { objects: { objectId } } = await inspector.post('Runtime.queryObjects', { prototypeObjectId })
  const size = "Object.getOwnPropertyDescriptor(" + name + ".prototype, 'size').get"
  const sum = 'function () { let sum = 0; for (const each of this) try { sum += ' + size + '.call(each) } catch {} return sum }'
  const { result } = await inspector.post('Runtime.callFunctionOn', { objectId, functionDeclaration: sum, returnByValue: true })
  inspector.disconnect()
  return result.value
}
process.on('SIGUSR2', async () => {
  const count = value => queryObjects(value, { format: 'count' })
  const { default: WebSocket } = await import(${JSON.stringify(ws)})
  const objects = { Socket: count(Socket), WebSocket: count(WebSocket) }
  for (const [name, url] of ${JSON.stringify(modules)}) objects[name] = count((await import(url))[name])
  const entries = { Map: await entriesOf('Map'), Set: await entriesOf('Set') }
  gc()
  const resources = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const { heapUsed: heap, external, rss: resident } = process.memoryUsage()
  process.stdout.write('alive: ' + JSON.stringify({ objects, resources, entries, heap, external, resident }) + '\\n')
})`

/** What the program is started with, so that it can be looked into. */
export const probed = { NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import ${urlOf(source)}` }

export async function look({ process }: Bridge): Promise<Alive> {
  const from = process.lines.length
  process.signal('SIGUSR2')
  return JSON.parse((await process.line(/^alive: /, from)).slice('alive: '.length)) as Alive
}

function urlOf(module: string): string {
  return `data:text/javascript;base64,${Buffer.from(module).toString('base64')}`
}
