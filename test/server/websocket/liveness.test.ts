import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Liveness, Patience, type LivenessSettings, type Sighting } from '../../../src/server/websocket/liveness.ts'

const second = 1_000
const usual: LivenessSettings = {
  pingIntervalMs: 30 * second,
  idleTimeoutMs: 120 * second,
  leastIdleTimeoutMs: 120 * second,
}

type Watch = {
  readonly settings?: Partial<LivenessSettings>
  /** The heartbeat interval that the station is told, in seconds. */
  readonly told?: number
  readonly hasPonged?: true
  readonly sees?: Partial<Sighting>
}

/** The seconds of silence after which a station is pinged, and after which it is ended; at most an hour. */
function watch({ settings = {}, told, hasPonged, sees = {} }: Watch) {
  const patience = new Patience({ ...usual, ...settings })
  const liveness = new Liveness(patience)
  if (told !== undefined) liveness.expectHeartbeats(told * second)
  if (hasPonged === true) liveness.onPong()
  const sighting = { bytesRead: 1, isHeld: false, isPaused: false, ...sees }
  liveness.sweep(sighting)
  const pings: number[] = []
  for (let ms = patience.sweepMs; ms <= 3_600 * second; ms += patience.sweepMs) {
    const next = liveness.sweep(sighting)
    if (next === 'ping') pings.push(ms / second)
    if (next === 'end') return { pings: pings.slice(0, 4), end: ms / second }
  }
  return { pings: pings.slice(0, 4), end: null }
}

const [none, every30] = [[], [30, 60, 90, 120]]
const rows: readonly (readonly [Watch, pings: readonly number[], end: number | null, because: string])[] = [
  [{}, [30, 60, 90], 120, 'the default'],
  [{ told: 300 }, every30, 750, '2.5 times what it was told'],
  [{ told: 30 }, [30, 60, 90], 120, 'never less than two minutes'],
  [{ settings: { idleTimeoutMs: 750 * second }, told: 60 }, every30, 150, 'it was told less than the others'],
  [
    { settings: { idleTimeoutMs: 600 * second, leastIdleTimeoutMs: 600 * second }, told: 60 },
    every30,
    600,
    'never less than the option',
  ],
  [
    { settings: { idleTimeoutMs: 45 * second, leastIdleTimeoutMs: 45 * second }, told: 300 },
    every30,
    750,
    'it obeys, although the option is shorter',
  ],
  [{ told: 300, hasPonged: true }, [30, 60, 90], 120, 'it answered pings before, and not these three'],
  [{ told: 10, hasPonged: true }, [30, 60, 90], 120, 'whatever the interval'],
  [{ settings: { pingIntervalMs: 60 * second }, told: 300, hasPonged: true }, [60, 120, 180], 240, 'three pings'],
  [{ settings: { pingIntervalMs: 0 }, told: 300, hasPonged: true }, none, 750, 'no pings'],
  [{ sees: { isPaused: true } }, none, null, 'nothing is read from it'],
  [{ sees: { isHeld: true } }, every30, null, 'it may wait for its answers'],
  [{ sees: { isHeld: true }, hasPonged: true }, [30, 60, 90], 120, 'it need not wait with its pongs'],
]
for (const [what, pings, end, because] of rows) {
  const ending = end === null ? 'is never ended' : `is ended after ${end} s`
  test(`a silent station ${ending} when it is seen as ${JSON.stringify(what)}: ${because}`, () => {
    assert.deepEqual(watch(what), { pings, end })
  })
}

test('a station is kept when it says one byte between two sweeps, however slowly', () => {
  const patience = new Patience(usual)
  const liveness = new Liveness(patience)
  liveness.onPong()
  for (let bytesRead = 0; bytesRead < 1_000; bytesRead++) {
    for (let sweeps = 0; sweeps < 8; sweeps++)
      assert.notEqual(liveness.sweep({ bytesRead, isHeld: false, isPaused: false }), 'end')
  }
})

test('the idle timeout starts again when the session takes messages again', () => {
  const patience = new Patience(usual)
  const liveness = new Liveness(patience)
  const sweep = (isHeld: boolean) => liveness.sweep({ bytesRead: 1, isHeld, isPaused: false })
  for (let sweeps = 0; sweeps < 100; sweeps++) sweep(true)
  for (let sweeps = 1; sweeps < patience.untilIdle; sweeps++) assert.notEqual(sweep(false), 'end')
  assert.equal(sweep(false), 'end')
})

test('a station is probed once, and not when it has answered a ping', () => {
  const silent = new Liveness(new Patience(usual))
  assert.deepEqual([silent.probe(), silent.probe()], [true, false])
  assert.equal(silent.answersPings, false)
  const ponging = new Liveness(new Patience(usual))
  ponging.onPong()
  assert.deepEqual([ponging.answersPings, ponging.probe()], [true, false])
})
