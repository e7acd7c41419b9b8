import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AttachSchedule } from '../../src/fleet/attach-schedule.ts'
import type { AttachAttempt, Member } from '../../src/session/ports.ts'
import { quiet } from '../support/fakes.ts'

/** Sessions that wait for an attach, a clock, and an app that does as the test says. */
class Scene {
  now = 0
  readonly random = 0.5
  readonly schedule = new AttachSchedule({ now: () => this.now, random: () => this.random })
  readonly members = new Map<string, Member>()
  /** The names of the stations attached, in order. */
  readonly attempts: string[] = []
  /** Attempts under way, by name. */
  readonly open = new Map<string, (attempt: AttachAttempt) => void>()
  #always: AttachAttempt | null = 'accepted'

  /** Opens a connection now. */
  plug(...names: readonly string[]): void {
    for (const name of names) {
      const attaching = { isWanted: true, unprompted: (): Promise<AttachAttempt> => this.#attach(name, attaching) }
      this.members.set(name, { openedAt: this.now, attaching } as unknown as Member)
    }
  }

  /** How each attempt ends from now on; `null`: when the test ends it. */
  ends(attempt: AttachAttempt | null): void {
    this.#always = attempt
  }

  end(name: string, attempt: AttachAttempt): void {
    this.open.get(name)?.(attempt)
    this.open.delete(name)
  }

  /** @param ms passes in sweeps of one second */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      this.now += Math.min(1_000, left)
      this.schedule.sweep(this.members.values())
      await quiet()
    }
  }

  async #attach(name: string, attaching: { isWanted: boolean }): Promise<AttachAttempt> {
    this.attempts.push(name)
    const attempt = this.#always ?? (await new Promise<AttachAttempt>(resolve => this.open.set(name, resolve)))
    if (attempt === 'accepted') attaching.isWanted = false
    if (attempt === 'refused') this.members.delete(name)
    return attempt
  }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `CP${at}`)

test('a station is attached 5 to 7 s after its connection opened, and once', async () => {
  const scene = new Scene()
  scene.now = 10_000
  scene.plug('CP1')
  await scene.pass(5_999)
  assert.deepEqual(scene.attempts, [])
  await scene.pass(1)
  await scene.pass(60_000)
  assert.deepEqual(scene.attempts, ['CP1'])
})

test('a station that needs no attach any more is left alone', async () => {
  const scene = new Scene()
  scene.plug('CP1')
  await scene.pass(3_000)
  Object.assign(scene.members.get('CP1')?.attaching ?? {}, { isWanted: false })
  await scene.pass(10_000)
  assert.deepEqual(scene.attempts, [])
})

test('16 stations are attached at the same time, and each that ends lets the next one start at once', async () => {
  const scene = new Scene()
  scene.ends(null)
  scene.plug(...names(40))
  await scene.pass(20_000)
  assert.equal(scene.attempts.length, 16)
  scene.end('CP3', 'accepted')
  await quiet()
  assert.deepEqual([scene.attempts.length, scene.open.size], [17, 16])
  for (let left = 40; left > 0; left--) {
    for (const name of scene.open.keys()) scene.end(name, left % 2 === 0 ? 'accepted' : 'skipped')
    await quiet()
  }
  assert.deepEqual(new Set(scene.attempts).size, 40)
})

test('thousands of stations are attached without a second in between when the app replies at once', async () => {
  const scene = new Scene()
  scene.plug(...names(2_000))
  await scene.pass(6_000)
  for (let turn = 0; turn < 200; turn++) await quiet()
  assert.equal(scene.attempts.length, 2_000)
})

test('a single station tries while the app is away, with pauses that grow to half a minute, and another one each time', async () => {
  const scene = new Scene()
  scene.ends('away')
  scene.plug(...names(100))
  await scene.pass(6_000)
  const first = scene.attempts.length
  assert.equal(first, 16, 'as many as may be in flight')
  const times: number[] = []
  for (let second = 0; second < 300; second++) {
    const before = scene.attempts.length
    await scene.pass(1_000)
    if (scene.attempts.length > before) times.push(scene.now)
    assert.ok(scene.attempts.length - before <= 1)
  }
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0))
  assert.deepEqual(pauses.slice(0, 4), [3_000, 5_000, 9_000, 18_000])
  assert.ok(pauses.slice(4).every(pause => pause === 34_000))
  assert.equal(new Set(scene.attempts).size, scene.attempts.length, 'no station tries twice before the others')
})

test('all stations are attached as soon as one of them finds the app back', async () => {
  const scene = new Scene()
  scene.ends('away')
  scene.plug(...names(50))
  await scene.pass(20_000)
  scene.ends('accepted')
  await scene.pass(34_000)
  for (let turn = 0; turn < 20; turn++) await quiet()
  assert.ok([...scene.members.values()].every(({ attaching }) => !attaching.isWanted))
})

test('the pause ends when the app accepts a station that boots', async () => {
  const scene = new Scene()
  scene.ends('away')
  scene.plug('CP1')
  await scene.pass(120_000)
  const { length } = scene.attempts
  scene.ends('accepted')
  await scene.pass(1_000)
  assert.equal(scene.attempts.length, length, 'it is in its pause')
  scene.schedule.onAccepted()
  await scene.pass(1_000)
  assert.equal(scene.attempts.length, length + 1)
})

test('a station for which the app raises tries again after 10 s, then ever later, and the others do not wait', async () => {
  const scene = new Scene()
  scene.ends('raised')
  scene.plug('CP1')
  await scene.pass(6_000)
  scene.ends('accepted')
  scene.plug('CP2')
  await scene.pass(9_000)
  assert.deepEqual(scene.attempts, ['CP1', 'CP2'])
  scene.ends('raised')
  await scene.pass(1_000)
  assert.deepEqual(scene.attempts, ['CP1', 'CP2', 'CP1'])
  await scene.pass(19_000)
  assert.equal(scene.attempts.length, 3)
  await scene.pass(1_000)
  assert.equal(scene.attempts.length, 4)
})

test('an app that raises, or refuses a station, is not away', async () => {
  for (const attempt of ['raised', 'refused'] as const) {
    const scene = new Scene()
    scene.ends('away')
    scene.plug(...names(3))
    await scene.pass(6_000)
    scene.ends(attempt)
    await scene.pass(3_000)
    assert.equal(new Set(scene.attempts.slice(-3)).size, 3, attempt)
  }
})

test('a session that ends during its attach does not count as a word of the app', async () => {
  const scene = new Scene()
  scene.ends('away')
  scene.plug(...names(20))
  await scene.pass(6_000)
  scene.ends(null)
  await scene.pass(2_000)
  for (let times = 0; times < 3; times++) {
    const [name = ''] = scene.open.keys()
    scene.end(name, 'skipped')
    await quiet()
    assert.equal(scene.open.size, 1, 'one at a time')
  }
})

test('no station is attached once the bridge shuts down, and none that waited', async () => {
  const scene = new Scene()
  scene.ends(null)
  scene.plug(...names(20))
  await scene.pass(6_000)
  scene.schedule.stop()
  scene.end('CP0', 'accepted')
  await scene.pass(10_000)
  assert.equal(scene.attempts.length, 16)
})
