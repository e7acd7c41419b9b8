import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOf, isHash, matches } from '../../../src/server/auth/hash.ts'

const secret = Buffer.from('sixteen letters!')

test('a hash matches its secret only, and two hashes of one secret differ', async () => {
  const [one, other] = await Promise.all([hashOf(secret, 'chosen'), hashOf(secret, 'chosen')])
  assert.notEqual(one, other)
  assert.deepEqual(await Promise.all([one, other].map(hash => matches(secret, hash))), [true, true])
  assert.equal(await matches(Buffer.from('sixteen letters?'), one), false)
  assert.equal(isHash(one), true)
  assert.equal(one.includes('letters'), false)
})

test('a hash of another program matches: scrypt of RFC 7914 §12 in the PHC string format', async () => {
  const salt = Buffer.from('SodiumChloride').toString('base64').replace(/=+$/, '')
  const derived =
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887'
  const hash = Buffer.from(derived, 'hex').toString('base64').replace(/=+$/, '')
  assert.equal(await matches(Buffer.from('pleaseletmein'), `$scrypt$ln=14,r=8,p=1$${salt}$${hash}`), true)
})

test('the hash of a random key costs next to nothing, and that of any other key costs a guesser 16 MiB and time', async () => {
  const kinds = ['random', 'chosen'] as const
  const hashes = await Promise.all(kinds.map(kind => hashOf(secret, kind)))
  assert.deepEqual(hashes.map(each => each.split('$')[2]), ['ln=1,r=1,p=1', 'ln=14,r=8,p=1']) // prettier-ignore
  assert.deepEqual(await Promise.all(hashes.map(each => matches(secret, each))), [true, true])
  assert.deepEqual(await Promise.all(hashes.map(each => matches(Buffer.from('another secret'), each))), [false, false])
})

const salt = 'c2FsdHNhbHRzYWx0'
const hash = 'aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g'
const rows: readonly (readonly [text: string, expected: boolean, because: string])[] = [
  [`$scrypt$ln=14,r=8,p=1$${salt}$${hash}`, true, 'the form'],
  [`$scrypt$ln=16,r=8,p=1$${salt}$${hash}`, false, 'it would take more than 64 MiB'],
  [`$scrypt$ln=15,r=8,p=1$${salt}$${hash}`, true, 'it takes 32 MiB'],
  [`$scrypt$ln=14,r=64,p=1$${salt}$${hash}`, false, 'it would take 128 MiB'],
  [`$scrypt$ln=0,r=8,p=1$${salt}$${hash}`, false, 'a cost of 1'],
  [`$scrypt$ln=14,r=8,p=1$${salt}$`, false, 'no hash'],
  [`$scrypt$ln=14,r=8,p=1$${salt}$${hash.slice(0, -1)}`, false, 'less than 32 bytes: the file is cut off'],
  [`$scrypt$ln=14,r=8,p=1$${salt}$${hash.slice(0, -20)}`, false, 'the same'],
  [`$scrypt$ln=14,r=8,p=1$$${hash}`, false, 'no salt'],
  [`$argon2id$v=19$m=19456,t=2,p=1$${salt}$${hash}`, false, 'another function'],
  ['secret', false, 'the key itself'],
]
for (const [text, expected, because] of rows) {
  test(`${text} is ${expected ? 'a hash' : 'no hash'}: ${because}`, async () => {
    assert.equal(isHash(text), expected)
    assert.equal(await matches(secret, text), false)
  })
}
