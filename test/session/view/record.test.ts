import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callError, messageId, type Call } from '../../../src/ocpp/frame.ts'
import { emptyObject, jsonText } from '../../../src/ocpp/json.ts'
import { ConnectionRecord } from '../../../src/session/view/record.ts'

const callOf = (id: string): Call => ({ kind: 'call', id: messageId(id), action: 'Authorize', payload: emptyObject })

test('the last ten errors are kept, shortened, with who gave them', () => {
  const record = new ConnectionRecord()
  assert.equal(record.errors.length, 0)
  for (let at = 0; at < 12; at++) {
    const call = callOf(String(at))
    record.keepError(at, call, callError(call.id, 'InternalError', 'x'.repeat(1_000)), 'failed: away')
  }
  assert.deepEqual(
    record.errors.map(({ id }) => id),
    ['2', '3', '4', '5', '6', '7', '8', '9', '10', '11'],
  )
  const [first] = record.errors
  assert.deepEqual([first?.from, first?.cause, first?.description.length], ['bridge', 'failed: away', 255])
})

test('an error is from the station or the app when its cause says so', () => {
  const record = new ConnectionRecord()
  const call = callOf('1')
  for (const cause of ['station', 'app', 'rejected'])
    record.keepError(0, call, callError(call.id, 'GenericError', ''), cause)
  assert.deepEqual(
    record.errors.map(({ from }) => from),
    ['station', 'app', 'bridge'],
  )
})

test('an error is kept without its description when its CALL has a key, and without a code that may be one', () => {
  const record = new ConnectionRecord()
  const payload = jsonText({ key: 'AuthorizationKey', value: 'abc' })
  const error = callError(messageId('1'), 'InternalError', 'abc is bad')
  record.keepError(0, { ...callOf('1'), payload }, error, 'station')
  record.keepError(0, callOf('1'), { ...error, code: 'ffee0123'.repeat(4) }, 'station')
  assert.deepEqual(
    record.errors.map(({ code, description }) => [code, description]),
    [
      ['InternalError', '***'],
      ['***', 'abc is bad'],
    ],
  )
})
