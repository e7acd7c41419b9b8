import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lanes } from '../../../src/fleet/outbox/lanes.ts'
import type { StationId } from '../../../src/translate/handshake.ts'
import { quiet } from '../../support/fakes.ts'

const one = 'CP1' as StationId

/** Deliveries that a test ends; `begun` has `isFirst` of each. */
class Bench {
  readonly lanes = new Lanes()
  readonly begun: [name: string, isFirst: boolean][] = []
  readonly #ends: (() => void)[] = []

  run(name: string, owner: object, stationId = one): Promise<void> {
    return this.lanes.inTurn(stationId, owner, isFirst => {
      this.begun.push([name, isFirst])
      return new Promise(resolve => this.#ends.push(resolve))
    })
  }

  async end(): Promise<void> {
    this.#ends.shift()?.()
    await quiet()
  }
}

test('a delivery waits until that of another connection of its station is over, and other stations do not', async () => {
  const bench = new Bench()
  const running = [bench.run('a', {}), bench.run('b', {}), bench.run('c', {}), bench.run('x', {}, 'CP2' as StationId)]
  await quiet()
  const names = (): string[] => bench.begun.map(([name]) => name)
  assert.deepEqual(names(), ['a', 'x'])
  await bench.end()
  assert.deepEqual(names(), ['a', 'x', 'b'])
  await bench.end()
  await bench.end()
  await bench.end()
  assert.deepEqual(names(), ['a', 'x', 'b', 'c'])
  await Promise.all(running)
})

test('a turn is the first one when another connection has delivered since the last one, or none has', async () => {
  const bench = new Bench()
  const [a, b] = [{}, {}]
  for (const [name, owner] of [
    ['a', a],
    ['a', a],
    ['b', b],
    ['a', a],
  ] as const) {
    const turn = bench.run(name, owner)
    await bench.end()
    await turn
  }
  assert.deepEqual(bench.begun, [['a', true], ['a', false], ['b', true], ['a', true]]) // prettier-ignore
})

test('a turn that fails lets the next one begin', async () => {
  const { lanes } = new Bench()
  await assert.rejects(
    lanes.inTurn(one, {}, () => Promise.reject(new Error('x'))),
    /x/,
  )
  assert.equal(await lanes.inTurn(one, {}, () => Promise.resolve(7)), 7)
})

test('a station that has nothing to deliver is forgotten, unless its turn is under way', async () => {
  const bench = new Bench()
  const turn = bench.run('a', {})
  bench.lanes.delete(one)
  assert.equal(bench.lanes.size, 1)
  await bench.end()
  await turn
  bench.lanes.delete(one)
  assert.equal(bench.lanes.size, 0)
})
