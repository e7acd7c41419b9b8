/**
 * Tells systemd how the program is, for a unit with `Type=notify`: that it serves stations, that its event loop turns,
 * that it stops. Node has no datagram sockets of Unix, so `systemd-notify` sends the messages: the unit needs
 * `NotifyAccess=all`.
 *
 * Spec: sd_notify(3), sd_watchdog_enabled(3).
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Log } from '../log.ts'
import type { Opened } from '../http/server.ts'

const notify = promisify(execFile)
/** A manager that does not read gets no more messages, in ms. */
const sendMs = 5_000

/**
 * Called once stations are served; `close` tells that they no longer are.
 *
 * @returns `null` where systemd asks for nothing
 */
export function openSystemd(env: NodeJS.ProcessEnv, pid: number, log: Pick<Log, 'warn'>): Opened | null {
  if (env['NOTIFY_SOCKET'] === undefined) return null
  let sent = Promise.resolve()
  let hasFailed = false
  const tell = (state: string): void => {
    sent = sent.then(async () => {
      try {
        await notify('systemd-notify', [state], { timeout: sendMs })
      } catch (error) {
        if (!hasFailed) log.warn({ error }, 'systemd was not told how the bridge is: systemd-notify failed')
        hasFailed = true
      }
    })
  }
  const everyMs = watchdogMs(env, pid)
  // A timer fires only while the event loop turns.
  const timer = everyMs === null ? undefined : setInterval(() => tell('WATCHDOG=1'), everyMs)
  let isClosed = false
  tell('READY=1')
  return {
    close: () => {
      clearInterval(timer)
      if (!isClosed) tell('STOPPING=1')
      isClosed = true
      // Nobody waits for it: the stations go first.
      return Promise.resolve()
    },
  }
}

/** Half of the time after which systemd ends a silent process; `null` where it does not watch this one. */
function watchdogMs({ WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched }: NodeJS.ProcessEnv, pid: number) {
  const ms = Number(microseconds ?? 0) / 1000
  const isWatched = watched === undefined || Number(watched) === pid
  return ms > 0 && isWatched ? Math.max(1, ms / 2) : null
}
