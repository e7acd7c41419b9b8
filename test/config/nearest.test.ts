import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean } from '../../src/config/nearest.ts'

const flags = ['port', 'host', 'rpc_host', 'max-conn', 'max_message_size', 'v']

const rows: readonly (readonly [given: string, nearest: string | null, because: string])[] = [
  ['prot', 'port', 'two letters are swapped'],
  ['por', 'port', 'a letter is missing'],
  ['portt', 'port', 'a letter is too many'],
  ['pord', 'port', 'a letter is wrong'],
  ['PORT', 'port', 'case is ignored'],
  ['max_conn', 'max-conn', 'a dash and an underscore are alike'],
  ['rpc-hots', 'rpc_host', 'both at once'],
  ['max_mesage_sise', 'max_message_size', 'two edits'],
  ['max_mesage_sis', null, 'three edits are too many'],
  ['hst', 'host', 'the nearest of several'],
  ['x', null, 'nothing is within half of the length of a short name'],
  ['', null, 'nothing is near an empty name'],
  ['xyzzy', null, 'nothing is near'],
]
for (const [given, nearest, because] of rows) {
  test(`${JSON.stringify(given)} suggests ${nearest ?? 'nothing'}: ${because}`, () => {
    assert.equal(didYouMean(given, flags), nearest === null ? '' : `; did you mean ${nearest}?`)
  })
}

test('a suggestion has the dashes of a flag when they are given', () => {
  assert.equal(didYouMean('prot', flags, '--'), '; did you mean --port?')
})

test('the first of two names that are equally near is suggested', () => {
  assert.equal(didYouMean('cert', ['cart', 'curt']), '; did you mean cart?')
})
