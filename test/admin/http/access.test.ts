import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessBy } from '../../../src/admin/http/access.ts'
import { ProblemError } from '../../../src/admin/problems.ts'

const both = { token: 'full', readToken: 'read' }
const none = { token: null, readToken: null }
const rows = [
  [none, { host: '127.0.0.1:1' }, 'loopback', 'no token is set'],
  [none, { host: 'localhost' }, 'loopback', 'the name of this machine'],
  [none, { host: '[::1]:1' }, 'loopback', 'IPv6'],
  [none, { host: 'evil.example' }, 'foreign-origin', 'a name that was pointed to 127.0.0.1'],
  [none, {}, 'foreign-origin', 'no Host header'],
  [none, { host: 'localhost:1', origin: 'http://localhost:1' }, 'loopback', 'a page of this server'],
  [none, { host: 'localhost:1', origin: 'https://evil.example' }, 'foreign-origin', 'a page of another host'],
  [none, { host: 'localhost:1', origin: 'null' }, 'foreign-origin', 'a page without an origin'],
  [none, { host: 'localhost', 'sec-fetch-site': 'cross-site' }, 'foreign-origin', 'an image in a page of another host'],
  [none, { host: 'localhost', 'sec-fetch-site': 'same-site' }, 'foreign-origin', 'a page of another port'],
  [none, { host: 'localhost', 'sec-fetch-site': 'none' }, 'loopback', 'typed into the browser'],
  [
    none,
    { host: 'localhost', 'sec-fetch-site': 'same-origin' },
    'loopback',
    'a page of this server, by its fetch metadata',
  ],
  [both, { host: 'bridge.example', authorization: 'Bearer full' }, 'token', 'the full token, whatever the host'],
  [both, { host: 'x', authorization: 'Bearer read' }, 'read token', 'the read-only token'],
  [both, { host: 'x', authorization: 'Bearer fulL' }, 'unauthorized', 'a wrong token'],
  [both, { host: 'x', authorization: 'full' }, 'unauthorized', 'no Bearer'],
  [both, { host: 'x' }, 'unauthorized', 'no token'],
  [
    both,
    { host: 'x', origin: 'http://y', authorization: 'Bearer full' },
    'foreign-origin',
    'a foreign page that has it',
  ],
  [{ token: null, readToken: 'read' }, { host: 'localhost' }, 'unauthorized', 'a read-only token is set'],
] as const
for (const [settings, headers, expected, because] of rows) {
  test(`${JSON.stringify(headers)} is ${expected} with ${JSON.stringify(settings)}: ${because}`, () => {
    assert.equal(
      grantOf(() => accessBy(settings)(headers, false)),
      expected,
    )
  })
}

test('the read-only token changes nothing', () => {
  const access = accessBy(both)
  assert.equal(
    grantOf(() => access({ host: 'x', authorization: 'Bearer read' }, true)),
    'read-only',
  )
  assert.equal(
    grantOf(() => access({ host: 'x', authorization: 'Bearer full' }, true)),
    'token',
  )
})

function grantOf(enter: () => string): string {
  try {
    return enter()
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.type.replace('/problems/', '')
    throw error
  }
}
