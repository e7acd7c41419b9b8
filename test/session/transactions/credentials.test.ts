import assert from 'node:assert/strict'
import { test } from 'node:test'
import { credentialsDigest, credentialsOf } from '../../../src/session/transactions/credentials.ts'
import { handshakeFor } from '../../support/fakes.ts'

test('the credentials of a station are its Authorization header, its cookie and the query of its URL', () => {
  const handshake = handshakeFor('CP1', { authorization: 'Basic a' })
  const { env } = handshake
  assert.equal(credentialsOf(handshakeFor('CP1')), '')
  assert.equal(credentialsOf(handshake), 'Basic a')
  const withQuery = { ...handshake, env: { ...env, url: 'ws://csms.example/CP1?token=1' } }
  assert.equal(credentialsOf(withQuery), '["Basic a","","token=1"]')
  const withCookie = { ...handshake, env: { ...env, headers: { ...env.headers, cookie: 'a=b' } } }
  assert.equal(credentialsOf(withCookie), '["Basic a","a=b",""]')
})

test('the digest tells credentials apart, and is empty without any', () => {
  const digests = ['Basic a', 'Basic b'].map(authorization => credentialsDigest(handshakeFor('CP1', { authorization })))
  assert.notEqual(digests[0], digests[1])
  assert.equal(digests.some(digest => digest.includes('Basic')), false) // prettier-ignore
  assert.equal(credentialsDigest(handshakeFor('CP1')), '')
})
