/** With the real `systemd-notify`, and a datagram socket in the place of systemd's. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { openSystemd } from '../../../src/ops/reporting/systemd.ts'
import { FakeLog } from '../../support/fakes.ts'
import { installPackages, openProcess } from '../../support/process.ts'

before(() => installPackages('systemd', 'python3'))

const receiver = `
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(manager.recv(4096).decode(), flush=True)
`

/** Prints each message that systemd would get. */
async function openManager(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-systemd-'))
  const socket = join(folder, 'notify')
  const manager = openProcess('/usr/bin/python3', ['-c', receiver, socket])
  t.after(async () => {
    await manager.close()
    rmSync(folder, { recursive: true })
  })
  await manager.line(/bound/)
  return { socket, manager }
}

/** `systemd-notify` reads the variable of this process. */
function setSocket(t: TestContext, socket: string): NodeJS.ProcessEnv {
  process.env['NOTIFY_SOCKET'] = socket
  t.after(() => delete process.env['NOTIFY_SOCKET'])
  return { NOTIFY_SOCKET: socket }
}

test('systemd is told READY, WATCHDOG while the event loop turns, and STOPPING', async t => {
  const { socket, manager } = await openManager(t)
  const env = { ...setSocket(t, socket), WATCHDOG_USEC: '200000', WATCHDOG_PID: '7' }
  const systemd = openSystemd(env, 7, new FakeLog())
  await manager.line(/^READY=1$/)
  await manager.line(/^WATCHDOG=1$/)
  await systemd?.close()
  await systemd?.close()
  await manager.line(/^STOPPING=1$/)
  assert.deepEqual(
    manager.lines.filter(line => /^(READY|STOPPING)/.test(line)),
    ['READY=1', 'STOPPING=1'],
  )
})

test('a watchdog for another process is not served', async t => {
  const { socket, manager } = await openManager(t)
  const env = { ...setSocket(t, socket), WATCHDOG_USEC: '2', WATCHDOG_PID: '8' }
  const systemd = openSystemd(env, 7, new FakeLog())
  await systemd?.close()
  await manager.line(/^STOPPING=1$/)
  assert.ok(!manager.lines.includes('WATCHDOG=1'))
})

test('without NOTIFY_SOCKET, nothing is started', () => {
  assert.equal(openSystemd({ WATCHDOG_USEC: '1000' }, 7, new FakeLog()), null)
})

test('a systemd-notify that fails is warned about once', async t => {
  const env = setSocket(t, '/nonexistent/notify')
  const warned: string[] = []
  const warning = new Promise<void>(resolve => {
    const warn = (_: object, message: string): void => {
      warned.push(message)
      resolve()
    }
    const log = { warn }
    const systemd = openSystemd({ ...env, WATCHDOG_USEC: '20000' }, 7, log)
    t.after(() => systemd?.close())
  })
  await warning
  assert.deepEqual(warned, ['systemd was not told how the bridge is: systemd-notify failed'])
})
