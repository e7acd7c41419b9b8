import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BootSchedule, type Returning } from '../../src/fleet/boot-schedule.ts'
import { Random } from '../fuzz/random.ts'
import { dawn } from '../support/fakes.ts'

let stations = 0
/** Another station, which the app knows. */
const another = (): Returning => ({ key: `CP${stations++}`, isKnown: true })

/** The slots of `count` stations that are sent away at once, after `ms`; in seconds from `dawn`. */
function slots(schedule: BootSchedule, count: number, ms: number, random = 0): number[] {
  return Array.from({ length: count }, () => ms / 1000 + schedule.take(another(), dawn + ms, random))
}

/** The app accepts stations evenly for a while. */
function accept(schedule: BootSchedule, perSecond: number, fromMs: number, toMs: number): void {
  for (let ms = fromMs; ms < toMs; ms += 1000 / perSecond) schedule.onAccepted(dawn + ms)
}

const alone: readonly (readonly [random: number, seconds: number, because: string])[] = [
  [0, 10, 'the minimum'],
  [0.5, 13, 'whole seconds: the schema wants an integer'],
  [0.999999, 15, 'the most jitter'],
]
for (const [random, seconds, because] of alone) {
  test(`a station waits ${seconds} s when the schedule is empty and random is ${random}: ${because}`, () => {
    assert.deepEqual(slots(new BootSchedule(), 1, 0, random), [seconds])
  })
}

/** What the app did within twenty seconds, the slots a second that follow, and why. */
type Pace = readonly [before: (schedule: BootSchedule) => void, perSecond: number, because: string]
const paces: readonly Pace[] = [
  [() => undefined, 50, 'the pace is unknown when the app has accepted no station'],
  [schedule => accept(schedule, 0.1, 0, 20_000), 50, 'the pace is unknown when the app had little to do'],
  [schedule => accept(schedule, 100, 0, 20_000), 100, 'the pace of the app'],
  [schedule => accept(schedule, 100, 17_000, 20_000), 100, 'the idle time before a storm does not count'],
  [schedule => accept(schedule, 300, 19_900, 20_000), 50, 'a burst of a tenth of a second does not count'],
  [schedule => accept(schedule, 225, 0, 15_000), 100, 'half of the window was idle'],
  [schedule => accept(schedule, 100, 0, 10_000), 50, 'the pace before the window is forgotten'],
]
for (const [before, perSecond, because] of paces) {
  test(`the schedule gives ${perSecond} slots a second: ${because}`, () => {
    const schedule = new BootSchedule()
    before(schedule)
    const times = slots(schedule, perSecond * 20 + 1, 20_000)
    assert.deepEqual([times[0], times.at(-1)], [30, 50])
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
      'in order',
    )
  })
}

/** Stations accepted and sent away in each second, and how long the next hundred slots take, in seconds. */
const overloads: readonly (readonly [accepted: string, sentAway: string, seconds: number, because: string])[] = [
  ['10 10 10 10', ' 0 20 20 20', 10, 'more stations are sent away than accepted: this is the pace of the app'],
  ['40 40 40 40', ' 1  1  1  1', 2, 'the app fails a few, and could accept more'],
  [' 0  0  0  0', '20 20 20 20', 2, 'the app is away, and its pace is unknown'],
  ['10 10  0  0', '20 20 20 20', 2, 'the app has gone away'],
  [' 0  0  0 10', '20 20 20 20', 2, 'the app has just come back'],
  ['90 90 90 90', '99 99 99 99', 100 / 90, 'the pace of the app is above the assumed one'],
]
for (const [accepted, sentAway, seconds, because] of overloads) {
  test(`a hundred slots take ${seconds.toFixed(1)} s when ${accepted} were accepted and ${sentAway} sent away: ${because}`, () => {
    const schedule = new BootSchedule()
    const sent = sentAway.trim().split(/ +/).map(Number)
    let behind = 0
    for (const [second, count] of accepted.trim().split(/ +/).map(Number).entries()) {
      for (let at = 0; at < count; at++) schedule.onAccepted(dawn + second * 1000 + at)
      behind = slots(schedule, sent[second] ?? 0, second * 1000 + 999).at(-1) ?? behind
    }
    const last = slots(schedule, 100, 3_999).at(-1) ?? 0
    assert.ok(Math.abs(last - behind - seconds) <= 1, `${last - behind} s`)
  })
}

test('a slot is behind the slots that were given before, and slots that have passed do not count', () => {
  const schedule = new BootSchedule()
  slots(schedule, 50 * 30, 0)
  assert.deepEqual(slots(schedule, 1, 5_000), [40], 'behind the slots before')
  assert.deepEqual(slots(schedule, 1, 100_000), [110], 'all slots have passed')
})

const early: readonly (readonly [afterMs: number, seconds: number, because: string])[] = [
  [1_000, 29, 'the slot stays'],
  [1_001, 29, 'rounded up: not before the slot'],
  [25_000, 10, 'the minimum'],
  [30_000, 10, 'the slot has passed, and the next one is free'],
]
for (const [afterMs, seconds, because] of early) {
  test(`a station with a slot in 30 s waits ${seconds} s when it boots again after ${afterMs / 1000} s: ${because}`, () => {
    const schedule = new BootSchedule()
    const station = another()
    slots(schedule, 50 * 20, 0)
    assert.equal(schedule.take(station, dawn, 0), 30)
    assert.equal(schedule.take(station, dawn + afterMs, 0), seconds)
  })
}

test('other stations do not wait longer when one station boots without a pause', () => {
  const schedule = new BootSchedule()
  const station = another()
  for (let at = 0; at < 10_000; at++) schedule.take(station, dawn + at, 0)
  assert.deepEqual(slots(schedule, 1, 10_000), [20])
})

test('stations get a random time within ten minutes when all slots of ten minutes are taken', () => {
  const schedule = new BootSchedule()
  const random = new Random(1)
  const times = Array.from({ length: 60_000 }, () => schedule.take(another(), dawn, random.next()))
  assert.deepEqual([Math.min(...times), Math.max(...times)], [11, 600])
  const late = times.slice(50 * 600)
  for (let from = 10; from < 600; from += 59) {
    const share = late.filter(time => time >= from && time < from + 59).length / late.length
    assert.ok(Math.abs(share - 0.1) < 0.02, `${share} of them from ${from} s on`)
  }
  assert.equal(schedule.take(another(), dawn + 60_000, 0), 536, 'new slots follow the last one')
})

const strangers = (count: number): Returning[] =>
  Array.from({ length: count }, (_, n) => ({ key: `192.0.2.1 unknown-${n}`, isKnown: false }))

test('a station that the app knows does not wait behind strangers, whatever their number', () => {
  const schedule = new BootSchedule()
  for (const stranger of strangers(3_900)) schedule.take(stranger, dawn, 0)
  assert.equal(schedule.take(another(), dawn, 0), 10)
})

test('strangers wait behind the stations that the app knows, at the same pace among themselves', () => {
  const schedule = new BootSchedule()
  slots(schedule, 50 * 20, 0)
  const waits = strangers(101).map(stranger => schedule.take(stranger, dawn, 0))
  assert.deepEqual([waits[0], waits.at(-1)], [30, 32])
})

test('strangers who are sent away do not slow down the stations that the app knows', () => {
  const schedule = new BootSchedule()
  accept(schedule, 10, 0, 4_000)
  for (const [n, stranger] of strangers(4_000).entries()) schedule.take(stranger, dawn + n, 0)
  const waits = slots(schedule, 101, 3_999)
  assert.equal(Math.round((waits.at(-1) ?? 0) - (waits[0] ?? 0)), 2, 'fifty a second')
})

test('a station keeps its slot on its next connection', () => {
  const schedule = new BootSchedule()
  const known = another()
  slots(schedule, 50 * 20, 0)
  assert.equal(schedule.take(known, dawn, 0), 30)
  assert.equal(schedule.take({ ...known }, dawn + 5_000, 0), 25)
})

type Take = (now: number, random: number) => number

/**
 * Simulates a fleet that boots within a second at an app that accepts `perSecond` stations in order. A station that has
 * waited three seconds is sent away with a slot. Ends when all are accepted.
 */
function storm(stations: number, perSecond: (second: number) => number, schedule: BootSchedule, take: Take) {
  const [stepMs, patienceMs] = [10, 3_000]
  const chance = new Random(stations)
  const arrivals = new Map<number, number[]>()
  const arrive = (station: number, ms: number): void => {
    const step = Math.ceil(ms / stepMs)
    arrivals.set(step, [...(arrivals.get(step) ?? []), station])
  }
  for (let station = 0; station < stations; station++) arrive(station, (station / stations) * 1000)
  const sentAway = new Array<number>(stations).fill(0)
  const returns = new Map<number, number>()
  const waiting: { readonly station: number; readonly since: number }[] = []
  let [left, capacity, ms] = [stations, 0, 0]
  for (; left > 0 && ms < 10_000_000; ms += stepMs) {
    for (const station of arrivals.get(ms / stepMs) ?? []) waiting.push({ station, since: ms })
    for (let first = waiting[0]; first !== undefined && ms - first.since >= patienceMs; first = waiting[0]) {
      waiting.shift()
      sentAway[first.station] = (sentAway[first.station] ?? 0) + 1
      const at = ms + take(dawn + ms, chance.next()) * 1000
      const second = Math.floor(at / 1000)
      returns.set(second, (returns.get(second) ?? 0) + 1)
      arrive(first.station, at)
    }
    // An idle app accumulates no capacity.
    capacity = Math.min(capacity, 1) + (perSecond(ms / 1000) * stepMs) / 1000
    for (; capacity >= 1 && waiting.shift() !== undefined; capacity--) {
      schedule.onAccepted(dawn + ms)
      left--
    }
  }
  return { seconds: ms / 1000, sentAway: Math.max(...sentAway), atOnce: Math.max(...returns.values()) }
}

type Storm = {
  readonly stations: number
  readonly perSecond: (second: number) => number
  /** The time if the app is never idle, in seconds. */
  readonly ideal: number
  /**
   * The limits: the time as a multiple of the ideal, how often one station is sent away, how many return in a second.
   */
  readonly most: readonly [times: number, sentAway: number, atOnce: number]
  readonly because: string
}
const steadily = (stations: number, perSecond: number) => {
  return { stations, perSecond: () => perSecond, ideal: stations / perSecond }
}
const boots: Storm = { ...steadily(5_000, 66), most: [1.25, 1, 2 * 66], because: 'an app of 200 RPC/s' }
const storms: readonly Storm[] = [
  boots,
  { ...steadily(10_000, 66), most: [1.2, 4, 2 * 66], because: 'twice as many stations: pauses matter less' },
  { ...steadily(5_000, 200), most: [1.6, 4, 2 * 200], because: 'a fast app, which the minimum wait slows down' },
  { ...steadily(5_000, 20), most: [1.1, 2, 2 * 20], because: 'an app below the assumed pace' },
  { ...steadily(10_000, 10), most: [1.1, 6, 70], because: 'an app so slow that ten minutes have too few slots' },
  {
    stations: 10_000,
    perSecond: second => (second < 300 ? 0 : 66),
    ideal: 300 + 10_000 / 66,
    most: [1.2, 4, 2 * 66],
    because: 'an app that is away for five minutes',
  },
]
for (const { stations, perSecond, ideal, most, because } of storms) {
  test(`${stations} stations are accepted in time when they boot at once: ${because}`, () => {
    const schedule = new BootSchedule()
    const { seconds, sentAway, atOnce } = storm(stations, perSecond, schedule, (now, random) =>
      schedule.take(another(), now, random),
    )
    assert.ok(
      seconds <= most[0] * ideal,
      `all are accepted after ${seconds} s, ${(seconds / ideal).toFixed(2)} x the ideal`,
    )
    assert.ok(sentAway <= most[1], `a station was sent away ${sentAway} times`)
    assert.ok(atOnce <= most[2], `${atOnce} returned in one second`)
  })
}

test('random waits of 30 to 60 s leave the app idle and then overload it, in the same storm', () => {
  const atRandom: Take = (_, random) => Math.round(30 + 30 * random)
  const { seconds, atOnce } = storm(boots.stations, boots.perSecond, new BootSchedule(), atRandom)
  assert.ok(seconds > boots.most[0] * boots.ideal, `all are accepted after ${seconds} s`)
  assert.ok(atOnce > boots.most[2], `${atOnce} returned in one second`)
})
