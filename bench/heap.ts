/**
 * What is kept on the heap of a Node server, read through the inspector that it has loaded.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const withinMs = 30_000
const everyMs = 50
/** Of the file in which a server writes its answer, before the process id. */
const prefix = join(tmpdir(), 'ocpp-cable-heap-')

// Two collections: the first one runs finalizers, which let go of more. Freed buffers are counted out a little later.
const source = `
import { Session } from 'node:inspector/promises'
import { renameSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
process.on('SIGUSR2', async () => {
  const inspector = new Session()
  inspector.connect()
  await inspector.post('HeapProfiler.collectGarbage')
  await setTimeout(100)
  await inspector.post('HeapProfiler.collectGarbage')
  inspector.disconnect()
  const { heapUsed, external } = process.memoryUsage()
  const file = ${JSON.stringify(prefix)} + process.pid
  writeFileSync(file + '.new', String(heapUsed + external))
  renameSync(file + '.new', file)
})`

/** The flags of a server that can be asked. */
export const askable = [
  '--disable-warning=ExperimentalWarning',
  '--import',
  `data:text/javascript,${encodeURIComponent(source)}`,
]

/** The bytes of objects and buffers that are left after garbage is collected. */
export async function keptBytes(pid: number): Promise<number> {
  const file = `${prefix}${pid}`
  process.kill(pid, 'SIGUSR2')
  for (let waited = 0; !existsSync(file); waited += everyMs) {
    if (waited > withinMs) throw new Error(`process ${pid} did not tell its heap`)
    await setTimeout(everyMs)
  }
  const bytes = Number(readFileSync(file, 'utf8'))
  rmSync(file)
  return bytes
}
