import assert from 'node:assert/strict'
import { test } from 'node:test'
import { census } from '../../src/fleet/census.ts'

const station = (version: 'ocpp1.6' | 'ocpp2.0.1', state: 'attaching' | 'accepted', commands = 0, messages = 0) => ({
  handshake: { version },
  view: { state, load: { commands, messages } },
})

test('a census counts stations by version and state, and names the fullest queues', () => {
  const members = [
    station('ocpp1.6', 'accepted', 3),
    station('ocpp1.6', 'accepted', 1, 9),
    station('ocpp1.6', 'attaching'),
    station('ocpp2.0.1', 'accepted', 2, 1),
  ]
  assert.deepEqual(census(members), {
    stations: [
      [{ version: '1.6', state: 'accepted' }, 2],
      [{ version: '1.6', state: 'attaching' }, 1],
      [{ version: '2.0.1', state: 'accepted' }, 1],
    ],
    most: { commands: 3, messages: 9 },
  })
})

test('a census of no station is empty', () => {
  assert.deepEqual(census([]), { stations: [], most: { commands: 0, messages: 0 } })
})
