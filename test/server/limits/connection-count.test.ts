import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { ConnectionCount } from '../../../src/server/limits/connection-count.ts'

test('the connection after the limit has no room until an earlier one is closed', () => {
  const count = new ConnectionCount(2)
  const [first, second, third] = [new EventEmitter(), new EventEmitter(), new EventEmitter()]
  assert.deepEqual(
    [first, second, third].map(each => count.admit(each)),
    [true, true, false],
  )
  third.emit('close')
  assert.equal(count.admit(third), false, 'its end makes no room: it was not counted')
  first.emit('close')
  assert.deepEqual([count.admit(third), count.admit(first)], [true, false])
})
