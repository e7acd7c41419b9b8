import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from '../../src/admin/problems.ts'
import { routes, type Route } from '../../src/admin/routes.ts'

test('two routes never share a method and a path', () => {
  const all = Object.values<Route>(routes).map(({ method, path }) => `${method} ${path}`)
  assert.equal(new Set(all).size, all.length)
})

for (const [name, route] of Object.entries<Route>(routes)) {
  test(`${name} changes something exactly when its method says so, and then may be refused to a reader`, () => {
    assert.equal(route.write, route.method !== 'GET')
    const problems = problemsOf(route)
    assert.equal(route.body !== null, problems.includes('body-too-large'))
    assert.equal(route.write, problems.includes('read-only'))
    assert.match(route.about, /^[A-Z].*\.$/)
  })
}
