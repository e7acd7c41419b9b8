import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { openNats } from './nats.ts'
import { freePort } from './ports.ts'
import { openProcess, run } from './process.ts'

const forever = 'setInterval(() => {}, 1000)'
const node = (script: string, env = {}) => openProcess(process.execPath, ['-e', script], { env })

const isRunning = (pid: number | undefined) => {
  try {
    return pid !== undefined && process.kill(pid, 0)
  } catch {
    return false
  }
}

test('line finds a line before and after it is printed, from an index on', async () => {
  const child = node(
    `console.log('one 1'); console.error('two'); setTimeout(() => console.log('one 2'), 50); ${forever}`,
  )
  assert.equal(await child.line(/^one/), 'one 1')
  assert.equal(await child.line(/^two/), 'two')
  assert.equal(await child.line(/^one/), 'one 1')
  assert.equal(await child.line(/^one/, child.lines.indexOf('one 1') + 1), 'one 2')
  await child.close()
})

test('line resolves each of two waits with its own line', async () => {
  const child = node(`console.log('a'); console.log('b')`)
  assert.deepEqual(await Promise.all([child.line(/b/), child.line(/a/)]), ['b', 'a'])
  await child.exited
})

test('line rejects with the output when the process ends without the line', async () => {
  const child = node(`process.stdout.write('no newline at the end')`)
  await assert.rejects(child.line(/never/), /ended without \/never\/:\nno newline at the end/)
  assert.deepEqual(await child.exited, { code: 0, signal: null })
})

test('close ends a process with SIGTERM and may be called twice', async () => {
  const child = node(`console.log('up'); ${forever}`)
  await child.line(/up/)
  await Promise.all([child.close(), child.close()])
  await child.close()
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGTERM' })
  assert.equal(isRunning(child.pid), false)
})

test('a signal reaches the process', async () => {
  const child = node(`process.on('SIGHUP', () => console.log('hup')); console.log('up'); ${forever}`)
  await child.line(/up/)
  child.signal('SIGHUP')
  await child.line(/hup/)
  child.signal('SIGKILL')
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' })
})

test('env adds variables and removes them', async () => {
  const child = node('console.log(process.env.COLOUR, process.env.HOME)', { COLOUR: 'red', HOME: undefined })
  assert.equal(await child.line(/./), 'red undefined')
  await child.close()
})

test('a missing program ends with code 127 and a message', async () => {
  const result = await run('no-such-program', [])
  assert.equal(result.code, 127)
  assert.match(result.stderr, /ENOENT/)
})

test('run keeps standard output and standard error apart', async () => {
  const script = `console.log('out'); console.error('err'); process.exitCode = 3`
  const result = await run(process.execPath, ['-e', script])
  assert.deepEqual(result, { code: 3, signal: null, stdout: 'out\n', stderr: 'err\n' })
})

test('no process outlives the one that started it, even when that one is terminated', async () => {
  const url = JSON.stringify(new URL('./process.ts', import.meta.url).href)
  const script = `
    import { openProcess } from ${url}
    const child = openProcess(process.execPath, ['-e', 'console.log("up"); ${forever}'])
    await child.line(/up/)
    console.log('child', child.pid)
  `
  const parent = openProcess(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script])
  const pid = Number((await parent.line(/^child/)).split(' ')[1])
  assert.equal(isRunning(pid), true)
  parent.signal('SIGTERM')
  await parent.exited
  assert.equal(isZombieOrGone(await run('ps', ['-o', 'stat=', '-p', `${pid}`])), true)
})

/** An orphan that was killed may wait for somebody to take its exit status. */
const isZombieOrGone = ({ stdout }: { stdout: string }) => stdout === '' || stdout.startsWith('Z')

test('free ports differ, and none is in use', async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  assert.equal(new Set(ports).size, 3)
  for (const port of ports) {
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
  }
})

test('nats-server restarts on its port after it was killed', async () => {
  const nats = await openNats()
  try {
    const first = nats.process.pid
    await nats.kill()
    assert.equal(isRunning(first), false)
    await nats.restart()
    assert.notEqual(nats.process.pid, first)
    assert.match(nats.process.output, new RegExp(`Listening for client connections on 127.0.0.1:${nats.port}`))
  } finally {
    await nats.close()
  }
  assert.equal(isRunning(nats.process.pid), false)
})
