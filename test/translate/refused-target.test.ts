import assert from 'node:assert/strict'
import { test } from 'node:test'
import { likelyIdentity, shownTarget } from '../../src/translate/refused-target.ts'

type Row = readonly [target: string, shown: string, identity: string | null, because: string]

const rows: readonly Row[] = [
  ['/ocpp/CP1', '/ocpp/CP1', 'CP1', 'the usual path'],
  ['//ocpp//CP1/', '//ocpp//CP1/', 'CP1', 'needless slashes'],
  ['/ocpp', '/ocpp', null, 'no identity'],
  ['/', '/', null, 'no segment'],
  ['', '', null, 'a request that cannot be read'],
  ['/ocpp/%zz', '/ocpp/%zz', null, 'broken percent-encoding'],
  ['/wrong/way/CP%201/?token=KEY', '/wrong/way/CP%201/', 'CP 1', 'a wrong path, a trailing slash and a query'],
  ['/ocpp/CP1#KEY', '/ocpp/CP1', 'CP1', 'a fragment'],
  ['/ocpp/CP1/KEY', '/ocpp/CP1/***', 'CP1', 'a key behind the identity'],
  ['//ocpp/CP1//a/KEY/', '//ocpp/CP1//***/***/', 'CP1', 'more behind the identity'],
  ['/zz/CP1;k=KEY', '/zz/CP1***', 'CP1', 'a parameter of a wrong path'],
  ['/zz/CP1%3Fk=KEY', '/zz/CP1***', 'CP1', 'an encoded query of a wrong path'],
  ['/zz/CP1%3bk%3dKEY/x', '/zz/CP1***/x', 'x', 'an encoded parameter of a wrong path'],
  ['/zz/CP;1', '/zz/CP;1', 'CP;1', 'no parameter: it has no value'],
  ['/ocpp/CP%40site', '/ocpp/CP%40site', 'CP@site', 'an identity with an @, encoded'],
  ['/ocpp/CP@site:1;a=b', '/ocpp/CP@site:1;a=b', 'CP@site:1;a=b', 'an identity of 1.6 with marks'],
  ['/ocpp/CP@site?mail=a@b', '/ocpp/CP@site', 'CP@site', 'no user without an authority'],
  ['ws://csms:8080/ocpp/CP@1', 'ws://***@1', null, 'an @ behind a port may be that of a password'],
  ['http://csms/ocpp/CP@1', 'http://csms/ocpp/CP@1', 'CP@1', 'an authority without a user'],
  ['http://CP1:KEY@csms/ocpp/CP1', 'http://***@csms/ocpp/CP1', 'CP1', 'a user in an absolute target'],
  ['http://CP1:KEY@csms/ocpp/CP1/KEY', 'http://***@csms/ocpp/CP1/***', 'CP1', 'a key behind that'],
  ['http://CP1:a/KEY@csms/ocpp/CP1', 'http://***@csms/ocpp/CP1', 'CP1', 'a slash in the password'],
  ['http://CP1:a@KEY@csms/ocpp/CP1', 'http://***@csms/ocpp/CP1', 'CP1', 'an @ in the password'],
  ['http://CP1:KEY?b@csms/ocpp/CP1', 'http://***', null, 'a question mark in the password'],
  ['//CP1:KEY@csms/ocpp/CP1', '//***@csms/ocpp/CP1', 'CP1', 'no scheme'],
  ['x-y://CP1:KEY@csms/ocpp/CP1', 'x-y://***@csms/ocpp/CP1', 'CP1', 'an unknown scheme'],
  ['CP1:KEY@csms/ocpp/CP1', '***@csms/ocpp/CP1', 'CP1', 'no scheme and no slashes'],
  ['http:/CP1:KEY@csms/ocpp/CP1', '***@csms/ocpp/CP1', 'CP1', 'one slash too few'],
]
for (const [target, shown, identity, because] of rows)
  test(`of ${target} the log has ${shown} and the identity ${identity}: ${because}`, () => {
    assert.equal(shownTarget(target, '/ocpp'), shown)
    assert.equal(likelyIdentity(target, '/ocpp'), identity)
  })

test('a prefix may be empty', () => {
  assert.equal(shownTarget('//CP1:KEY@csms/CP1/KEY', '/'), '//***@csms/CP1/***')
  assert.equal(likelyIdentity('//CP1:KEY@csms/CP1/KEY', '/'), 'CP1')
})

test('an identity is cut where it is longer than one may be', () => {
  assert.equal(likelyIdentity(`/ocpp/${'x'.repeat(300)}`, '/ocpp'), 'x'.repeat(255))
})

test('a long target costs time linear in its length', () => {
  for (const text of ['/zz/' + ';'.repeat(1e5), ':'.repeat(1e5), '/'.repeat(1e5), '/a'.repeat(5e4), '@'.repeat(1e5)]) {
    const from = performance.now()
    shownTarget(text, '/ocpp')
    likelyIdentity(text, '/ocpp')
    assert.ok(performance.now() - from < 500, text.slice(0, 10))
  }
})
