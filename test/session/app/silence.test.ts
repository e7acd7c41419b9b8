import assert from 'node:assert/strict'
import { test } from 'node:test'
import { warnOfSilence } from '../../../src/session/app/silence.ts'
import { Station } from '../../../src/session/station.ts'
import { choiceFor } from '../../../src/translate/answers.ts'
import { FakeSocket, FakeWorld, handshakeFor, usualSettings } from '../../support/fakes.ts'

for (const [granularActions, fix] of [
  [true, /define meter_values/],
  [false, /handle MeterValues in receive/],
] as const)
  // prettier-ignore
  test(`the warning about a silent message names the method when granular actions are ${granularActions}`, t => {
    const world = new FakeWorld(t)
    const settings = { ...usualSettings, granularActions }
    const station = new Station(handshakeFor('CP1'), new FakeSocket(), settings, world)
    warnOfSilence(station, 'MeterValues', choiceFor('MeterValues', 'ocpp1.6', settings), false, true)
    assert.match(String([...world.notices.values()]), fix)
    assert.deepEqual([...world.noticeFields.values()], [{ ...station.who, action: 'MeterValues' }])
  })
