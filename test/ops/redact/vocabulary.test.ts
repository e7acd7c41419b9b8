import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCount, isKnownWord } from '../../../src/ops/redact/vocabulary.ts'

const rows: readonly (readonly [word: string, isKnown: boolean, isOfNumber: boolean, because: string])[] = [
  ['meterStop', true, true, 'the energy of a 1.6 transaction'],
  ['METERSTOP', true, true, 'in any letters'],
  ['transactionId', true, true, 'what is booked'],
  ['timestamp', true, false, 'its value is a text'],
  ['idTag', true, false, 'the name of a secret is none'],
  ['Energy.Active.Import.Register', true, false, 'a measurand'],
  ['AuthorizationKey', false, false, 'it is needless, and its value is a secret'],
  ['AB12', false, false, 'a tag'],
  ['', false, false, 'nothing'],
]
for (const [word, isKnown, isOfNumber, because] of rows) {
  test(`${JSON.stringify(word)} is ${isKnown ? '' : 'not '}shown of a text that is not JSON: ${because}`, () => {
    assert.deepEqual([isKnownWord(word), isCount(word)], [isKnown, isOfNumber])
  })
}
