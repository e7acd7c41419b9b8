import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstSerialNumber, isPlaceholder, placeholders, textOf } from '../../src/ocpp/serial-numbers.ts'

/** [values, because] */
const skipped: readonly (readonly [readonly string[], string])[] = [
  [['', ' ', '\t\n'], 'empty or blank, as the Wallbox sends it (ha-ocpp#1510)'],
  [['-', '--', ' - ', '?', '???', '.', '*', '#', '_', '/'], 'no letter and no digit'],
  [['0', '0000', '000000000000', '0.0', '00-00-00'], 'a counter that was never set'],
  [['00:00:00:00:00:00', '00000000-0000-0000-0000-000000000000'], 'a MAC address and a UUID that were never set'],
  [['0x0', '0x00000000'], 'zeros as a hex number'],
  [['-1', '"-1"'], 'an error code'],
  [['n00', 'N0', 'N0000', 'sn0000', 'SN-000000', 'S/N 000'], 'a prefix before a number that was never set'],
  [['x', 'xxxx', 'XXXXXXXX', 'xxx-xxx', 'XX XX'], 'a template that nobody filled in'],
  [['ffff', 'FFFFFFFFFFFF', 'FF:FF:FF:FF:FF:FF', 'ff-ff-ff-ff'], 'erased flash memory, as hex digits'],
  [['ÿÿÿÿ', '\ufffd\ufffd'], 'erased flash memory, as text'],
  [['N/A', 'n/a', 'NA', 'n.a.', 'n\\a', 'N/K', ' N/A ', '"N/A"', 'n/d'], 'captured on a real product, in any letters'],
  [['not available', 'Not Applicable', 'unknown', 'UNKNOWN', 'not_set', 'NotSet', 'unspecified'], 'in words'],
  [['not present', 'not found', 'not supported', 'Not Available.', 'missing'], 'in other words'],
  [
    ['null', 'NULL', '(null)', 'undefined', 'None', 'nil', 'NaN', '[object Object]', '<null>', '{null}'],
    'no value, in a program',
  ],
  [
    ['empty', '(empty)', 'default', 'Default string', 'invalid', 'TBD', 'To be filled by O.E.M.'],
    'what a vendor left in',
  ],
  [['string', '<string>'], 'the example value of an API description'],
  [
    ['serial', 'Serial Number', 'serial no.', 'meterSerialNumber', 'chargePointSerialNumber', 'SN', 'S/N', 'NoSerial'],
    'the name of the field',
  ],
]
for (const [values, because] of skipped) {
  test(`${values.map(value => JSON.stringify(value)).join(', ')}: no serial number (${because})`, () => {
    assert.deepEqual(
      values.filter(value => !isPlaceholder(value)),
      [],
    )
  })
}

const kept: readonly (readonly [value: string, because: string])[] = [
  ['1', 'a short number, as a test bench has it'],
  ['001', 'zeros before a number'],
  ['100', 'zeros behind one'],
  ['1111', 'one digit, but not zero'],
  ['123456', 'numbers in order are some simulator’s serial number'],
  ['SN-1', 'the name of the field before a number'],
  ['ABC0000', 'a prefix of other letters before zeros'],
  ['SN0001', 'a prefix before a number that was set'],
  ['0x01', 'a hex number that was set'],
  ['-2', 'a number that no error code is known to be'],
  ['(A1)', 'brackets around a number'],
  ['ND', 'two letters'],
  ['n001', 'a prefix before a number that was set'],
  ['x1', 'a template that was filled in'],
  ['fff', 'three letters'],
  ['ff0f', 'hex digits that are not all f'],
  ['00:00:00:00:00:01', 'a MAC address that was set'],
  ['NA-1234', 'a region'],
  ['unknown-17', 'it still tells one station from another'],
  ['null0', 'not the whole word'],
  ['Defaultia', 'a word that begins like one'],
  ['零一', 'letters of another script'],
  ['Ж0', 'a letter of another script before a zero'],
]
for (const [value, because] of kept) {
  test(`${JSON.stringify(value)} is a serial number: ${because}`, () => {
    assert.equal(isPlaceholder(value), false)
  })
}

test('each row of the placeholders is the only one that skips some value', () => {
  const values = skipped.flatMap(([all]) => all.map(textOf))
  for (const { pattern, why } of placeholders) {
    const others = placeholders.filter(other => other.pattern !== pattern)
    const own = values.filter(value => pattern.test(value) && !others.some(other => other.pattern.test(value)))
    assert.notDeepEqual(own, [], why)
  }
})

/** [fields, the serial number, because] */
const fields: readonly (readonly [Readonly<Record<string, unknown>>, string | null, string])[] = [
  [{ a: 'A1', b: 'B1' }, 'A1', 'the first name comes first'],
  [{ b: 'B1' }, 'B1', 'the first one is absent'],
  [{ a: 'N/A', b: 'B1' }, 'B1', 'a placeholder is skipped'],
  [{ a: 'N/A', b: '0000' }, null, 'there are placeholders only'],
  [{ a: 7, b: null }, null, 'neither is a text'],
  [{ a: 'A'.repeat(256), b: 'B1' }, 'B1', 'one over 255 characters is skipped'],
  [{ a: ' A1 ' }, ' A1 ', 'it stays as it came'],
  [{ c: 'C1' }, null, 'a field that is not asked for'],
]
for (const [given, expected, because] of fields) {
  test(`the serial number in ${JSON.stringify(given).slice(0, 60)} is ${expected ?? 'none'}: ${because}`, () => {
    assert.equal(firstSerialNumber(given, ['a', 'b']), expected)
  })
}
