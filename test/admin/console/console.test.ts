import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { openFakeAdmin } from '../support.ts'

const both = { token: 'full', readToken: 'read' }

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }

async function ask(url: string, method: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(url, { method, headers })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** `fetch` sets some headers of its own. */
function statusWith(url: string, method: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers }, response => {
      resolve(response.statusCode)
      response.resume()
    })
    asking.once('error', reject)
    asking.end()
  })
}

async function signedIn(url: string, token: string): Promise<string> {
  const { status, headers } = await ask(`${url}/console/session`, 'POST', { authorization: `Bearer ${token}` })
  assert.equal(status, 200)
  return headers.get('set-cookie')?.split(';')[0] ?? ''
}

test('the page is there without a token, compressed, and asked for again with its tag', async t => {
  const { url } = await openFakeAdmin(t, both)
  const { status, headers, text } = await ask(url, 'GET')
  assert.deepEqual([status, headers.get('content-type')], [200, 'text/html; charset=utf-8'])
  assert.match(text, /<div id="console">/)
  assert.equal(headers.get('content-encoding'), 'gzip')
  assert.match(headers.get('content-security-policy') ?? '', /script-src 'self'/)
  const again = await ask(url, 'GET', { 'if-none-match': headers.get('etag') ?? '' })
  assert.deepEqual([again.status, again.text], [304, ''])
  assert.equal((await ask(`${url}/console/console.css`, 'HEAD')).status, 200)
})

test('the files of the console take no other method, and paths beside them are those of the API', async t => {
  const { url } = await openFakeAdmin(t, both)
  assert.equal((await ask(url, 'POST')).status, 401)
  assert.equal((await ask(`${url}/console/../../package.json`, 'GET')).status, 401)
  assert.equal((await ask(`${url}/console/%2e%2e/admin/open.js`, 'GET')).status, 401)
  assert.equal((await ask(`${url}/console/session`, 'PUT')).status, 405)
})

test('a browser signs in with a token, and then reads by its cookie', async t => {
  const { url } = await openFakeAdmin(t, both)
  assert.equal((await ask(`${url}/console/session`, 'GET')).text, '{"grant":null}')
  assert.equal((await ask(`${url}/console/session`, 'POST', { authorization: 'Bearer no' })).status, 401)
  const cookie = await signedIn(url, 'full')
  assert.equal((await ask(`${url}/console/session`, 'GET', { cookie })).text, '{"grant":"token"}')
  assert.equal((await ask(`${url}/v1/stats`, 'GET', { cookie })).status, 200)
  const out = await ask(`${url}/console/session`, 'DELETE', { cookie })
  assert.deepEqual([out.status, out.headers.get('set-cookie')?.includes('Max-Age=0')], [204, true])
})

const origin = 'http://127.0.0.1'
const rows = [
  ['full', {}, 403, 'a browser sends an Origin with what changes something'],
  ['full', { origin: 'http://evil.example' }, 403, 'the page of another host'],
  ['full', { origin: 'null' }, 403, 'a page without an origin'],
  ['full', { 'sec-fetch-site': 'same-site', origin }, 403, 'a page of another port, to which the cookie goes, too'],
  ['read', { origin }, 403, 'the read-only token changes nothing'],
  ['full', { origin }, 404, 'the page itself; there is no such station'],
] as const
for (const [token, headers, expected, because] of rows) {
  test(`a change by the cookie of ${token} with ${JSON.stringify(headers)} is ${expected}: ${because}`, async t => {
    const { url } = await openFakeAdmin(t, both)
    const cookie = await signedIn(url, token)
    const { host } = new URL(url)
    const own = 'origin' in headers && headers.origin === origin ? { ...headers, origin: `http://${host}` } : headers
    assert.equal(await statusWith(`${url}/v1/stations/CP9/connection`, 'DELETE', { ...own, cookie }), expected)
  })
}

test('without tokens nobody signs in', async t => {
  const { url } = await openFakeAdmin(t)
  const { text, headers } = await ask(`${url}/console/session`, 'POST')
  assert.deepEqual([text, headers.get('set-cookie')], ['{"grant":"loopback"}', null])
})
