import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootSchedule } from '../../src/fleet/boot-schedule.ts'
import { Random } from '../fuzz/random.ts'
import { dawn } from '../support/fakes.ts'

/** When stations are to come back, in seconds from `dawn`: `count` that are put off at once, after `ms`. */
function taken(comeback: BootSchedule, count: number, ms: number, random = 0): number[] {
  return Array.from({ length: count }, () => ms / 1000 + comeback.take({}, dawn + ms, random))
}

/** The app lets stations in for a while, evenly. */
function letIn(comeback: BootSchedule, perSecond: number, fromMs: number, toMs: number): void {
  for (let ms = fromMs; ms < toMs; ms += 1000 / perSecond) comeback.onAccepted(dawn + ms)
}

const alone: readonly (readonly [random: number, seconds: number, because: string])[] = [
  [0, 10, 'the least wait'],
  [0.5, 13, 'whole seconds: the schema wants an integer'],
  [0.999999, 15, 'a little chance'],
]
for (const [random, seconds, because] of alone) {
  test(`one that is put off alone waits ${seconds} s at random ${random}: ${because}`, () => {
    assert.deepEqual(taken(new BootSchedule(), 1, 0, random), [seconds])
  })
}

/** What the app did within twenty seconds, how many a second then come back to it, and why. */
type Pace = readonly [before: (comeback: BootSchedule) => void, perSecond: number, because: string]
const paces: readonly Pace[] = [
  [() => undefined, 50, 'an app that let nobody in has not shown how fast it is'],
  [comeback => letIn(comeback, 0.1, 0, 20_000), 50, 'nor has one that had little to do'],
  [comeback => letIn(comeback, 100, 0, 20_000), 100, 'as fast as the app was'],
  [comeback => letIn(comeback, 100, 17_000, 20_000), 100, 'a storm that has just begun is no lull'],
  [comeback => letIn(comeback, 300, 19_900, 20_000), 50, 'thirty at one moment are an accident'],
  [comeback => letIn(comeback, 225, 0, 15_000), 100, 'half of the window it stood still'],
  [comeback => letIn(comeback, 100, 0, 10_000), 50, 'what it did ten seconds ago is forgotten'],
]
for (const [before, perSecond, because] of paces) {
  test(`${perSecond} a second come back: ${because}`, () => {
    const comeback = new BootSchedule()
    before(comeback)
    const times = taken(comeback, perSecond * 20 + 1, 20_000)
    assert.deepEqual([times[0], times.at(-1)], [30, 50])
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
      'one after another',
    )
  })
}

/** What goes on second by second, then how long the line of the next hundred is, in seconds. */
const overruns: readonly (readonly [letIn: string, putOff: string, seconds: number, because: string])[] = [
  ['10 10 10 10', ' 0 20 20 20', 10, 'more are put off than let in: this is all that it can'],
  ['40 40 40 40', ' 1  1  1  1', 2, 'it fails some, and could do more'],
  [' 0  0  0  0', '20 20 20 20', 2, 'it is away, which says nothing of how fast it is'],
  ['10 10  0  0', '20 20 20 20', 2, 'it has gone away'],
  [' 0  0  0 10', '20 20 20 20', 2, 'it has just come back'],
  ['90 90 90 90', '99 99 99 99', 100 / 90, 'it can do more than is assumed'],
]
for (const [letIn, putOff, seconds, because] of overruns) {
  test(`let in ${letIn}, put off ${putOff}: a hundred come within ${seconds.toFixed(1)} s: ${because}`, () => {
    const comeback = new BootSchedule()
    const puts = putOff.trim().split(/ +/).map(Number)
    let behind = 0
    for (const [second, count] of letIn.trim().split(/ +/).map(Number).entries()) {
      for (let at = 0; at < count; at++) comeback.onAccepted(dawn + second * 1000 + at)
      behind = taken(comeback, puts[second] ?? 0, second * 1000 + 999).at(-1) ?? behind
    }
    const last = taken(comeback, 100, 3_999).at(-1) ?? 0
    assert.ok(Math.abs(last - behind - seconds) <= 1, `${last - behind} s`)
  })
}

test('the next one that is put off stands behind those before, and a line that has passed is none', () => {
  const comeback = new BootSchedule()
  taken(comeback, 50 * 30, 0)
  assert.deepEqual(taken(comeback, 1, 5_000), [40], 'behind the line')
  assert.deepEqual(taken(comeback, 1, 100_000), [110], 'the line is over')
})

const early: readonly (readonly [afterMs: number, seconds: number, because: string])[] = [
  [1_000, 29, 'its turn is where it was'],
  [1_001, 29, 'not before it'],
  [25_000, 10, 'the least wait'],
  [30_000, 10, 'its turn has come, and passed: it gets another, and nobody else stands in line'],
]
for (const [afterMs, seconds, because] of early) {
  test(`one that is to come in 30 s boots again after ${afterMs / 1000} s, and has ${seconds} s to wait: ${because}`, () => {
    const comeback = new BootSchedule()
    const connection = {}
    taken(comeback, 50 * 20, 0)
    assert.equal(comeback.take(connection, dawn, 0), 30)
    assert.equal(comeback.take(connection, dawn + afterMs, 0), seconds)
  })
}

test('a station that boots without a pause lengthens nobody’s wait', () => {
  const comeback = new BootSchedule()
  const connection = {}
  for (let at = 0; at < 10_000; at++) comeback.take(connection, dawn + at, 0)
  assert.deepEqual(taken(comeback, 1, 10_000), [20])
})

test('nobody is told more than ten minutes: those for whom the line is too long come at any time within it', () => {
  const comeback = new BootSchedule()
  const random = new Random(1)
  const times = Array.from({ length: 60_000 }, () => comeback.take({}, dawn, random.next()))
  assert.deepEqual([Math.min(...times), Math.max(...times)], [11, 600])
  const late = times.slice(50 * 600)
  for (let from = 10; from < 600; from += 59) {
    const share = late.filter(time => time >= from && time < from + 59).length / late.length
    assert.ok(Math.abs(share - 0.1) < 0.02, `${share} of them from ${from} s on`)
  }
  assert.equal(comeback.take({}, dawn + 60_000, 0), 536, 'the line goes on')
})

type Take = (now: number, random: number) => number

/**
 * What a fleet goes through until all are in: it boots within a second, at an app that lets in so many a second, in the
 * order in which they came. After three seconds in that line a station is told when to come back.
 */
function storm(stations: number, perSecond: (second: number) => number, comeback: BootSchedule, take: Take) {
  const [stepMs, patienceMs] = [10, 3_000]
  const chance = new Random(stations)
  const arrivals = new Map<number, number[]>()
  const arrive = (station: number, ms: number): void => {
    const step = Math.ceil(ms / stepMs)
    arrivals.set(step, [...(arrivals.get(step) ?? []), station])
  }
  for (let station = 0; station < stations; station++) arrive(station, (station / stations) * 1000)
  const told = new Array<number>(stations).fill(0)
  const cameBack = new Map<number, number>()
  const line: { readonly station: number; readonly since: number }[] = []
  let [out, turns, ms] = [stations, 0, 0]
  for (; out > 0 && ms < 10_000_000; ms += stepMs) {
    for (const station of arrivals.get(ms / stepMs) ?? []) line.push({ station, since: ms })
    for (let first = line[0]; first !== undefined && ms - first.since >= patienceMs; first = line[0]) {
      line.shift()
      told[first.station] = (told[first.station] ?? 0) + 1
      const at = ms + take(dawn + ms, chance.next()) * 1000
      const second = Math.floor(at / 1000)
      cameBack.set(second, (cameBack.get(second) ?? 0) + 1)
      arrive(first.station, at)
    }
    // An app with nothing to do saves nothing up.
    turns = Math.min(turns, 1) + (perSecond(ms / 1000) * stepMs) / 1000
    for (; turns >= 1 && line.shift() !== undefined; turns--) {
      comeback.onAccepted(dawn + ms)
      out--
    }
  }
  return { seconds: ms / 1000, told: Math.max(...told), atOnce: Math.max(...cameBack.values()) }
}

type Storm = {
  readonly stations: number
  readonly perSecond: (second: number) => number
  /** How long it takes if the app has something to do at any time. */
  readonly ideal: number
  /** The most: how long, by the ideal; how often one is told to come back; how many come in one second. */
  readonly most: readonly [times: number, told: number, atOnce: number]
  readonly because: string
}
const steadily = (stations: number, perSecond: number) => {
  return { stations, perSecond: () => perSecond, ideal: stations / perSecond }
}
const boots: Storm = { ...steadily(5_000, 66), most: [1.25, 1, 2 * 66], because: 'an app of 200 RPC/s' }
const storms: readonly Storm[] = [
  boots,
  { ...steadily(10_000, 66), most: [1.2, 4, 2 * 66], because: 'twice as many: the pauses weigh less' },
  { ...steadily(5_000, 200), most: [1.6, 4, 2 * 200], because: 'a fast app, in 25 s but for the least wait' },
  { ...steadily(5_000, 20), most: [1.1, 2, 2 * 20], because: 'one that is slower than is assumed' },
  { ...steadily(10_000, 10), most: [1.1, 6, 70], because: 'so slow that ten minutes are too short for the line' },
  {
    stations: 10_000,
    perSecond: second => (second < 300 ? 0 : 66),
    ideal: 300 + 10_000 / 66,
    most: [1.2, 4, 2 * 66],
    because: 'an app that is away for five minutes',
  },
]
for (const { stations, perSecond, ideal, most, because } of storms) {
  test(`${stations} stations boot at once: ${because}`, () => {
    const comeback = new BootSchedule()
    const { seconds, told, atOnce } = storm(stations, perSecond, comeback, (now, random) =>
      comeback.take({}, now, random),
    )
    assert.ok(seconds <= most[0] * ideal, `all are in after ${seconds} s, ${(seconds / ideal).toFixed(2)} x the ideal`)
    assert.ok(told <= most[1], `one was told ${told} times to come back`)
    assert.ok(atOnce <= most[2], `${atOnce} came back in one second`)
  })
}

test('the same storm with waits of 30 to 60 s by chance: the app idles, then twice as many come as it can let in', () => {
  const byChance: Take = (_, random) => Math.round(30 + 30 * random)
  const { seconds, atOnce } = storm(boots.stations, boots.perSecond, new BootSchedule(), byChance)
  assert.ok(seconds > boots.most[0] * boots.ideal, `all are in after ${seconds} s`)
  assert.ok(atOnce > boots.most[2], `${atOnce} came back in one second`)
})
