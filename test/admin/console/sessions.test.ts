import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sessions } from '../../../src/admin/console/sessions.ts'

const tokens = { token: 'full', readToken: 'read' }
const hours = 60 * 60 * 1000

/** What a browser sends back. */
function sentBack(setCookie: string): string {
  return setCookie.split(';')[0] ?? ''
}

test('a cookie lets in by what its token did, among other cookies and after a restart, and holds no token', () => {
  const sessions = new Sessions(tokens, () => 0)
  for (const grant of ['token', 'read token'] as const) {
    const cookie = sessions.cookieFor(grant)
    assert.match(cookie, /; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/)
    assert.doesNotMatch(cookie, /full-token|read-token/)
    const restarted = new Sessions(tokens, () => 1)
    assert.equal(restarted.grantOf(`theme=dark; ${sentBack(cookie)}; a=b`), grant)
  }
})

const full = sentBack(new Sessions(tokens, () => 0).cookieFor('token'))
const read = sentBack(new Sessions(tokens, () => 0).cookieFor('read token'))
const refused = [
  ['no cookie', undefined, tokens, 0],
  ['a session that is twelve hours old', full, tokens, 12 * hours],
  ['a session of a token that was changed', full, { ...tokens, token: 'other' }, 0],
  ['a session that calls itself a better one', read.replace('=read.', '=full.'), tokens, 0],
  ['a session that gave itself more time', full.replace(/\.\d+\./, `.${99 * hours}.`), tokens, 13 * hours],
  ['a cookie without a signature', full.replace(/\.[^.]+$/, ''), tokens, 0],
  ['an empty cookie', full.replace(/=.*/, '='), tokens, 0],
] as const
for (const [what, cookie, settings, now] of refused) {
  test(`${what} lets nobody in`, () => {
    assert.equal(new Sessions(settings, () => now).grantOf(cookie), null)
  })
}

test('bridges with other tokens have cookies of other names', () => {
  const nameIn = (cookie: string) => cookie.split('=')[0]
  const other = new Sessions({ token: 'x', readToken: null }, () => 0).cookieFor('token')
  assert.notEqual(nameIn(other), nameIn(full))
  assert.equal(nameIn(new Sessions(tokens, () => 0).noCookie), nameIn(full))
})
