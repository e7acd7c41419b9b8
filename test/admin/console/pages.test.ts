import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { pageHeaders, readPages } from '../../../src/admin/console/pages.ts'

test('pages are the files of the build and of the libraries, without sources, and without the addresses of source maps', t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'ocpp-cable-pages-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(path.join(folder, 'views'))
  writeFileSync(path.join(folder, 'index.html'), '<!doctype html>')
  writeFileSync(path.join(folder, 'views/table.js'), 'export {}\n//# sourceMappingURL=table.js.map\n')
  writeFileSync(path.join(folder, 'views/table.ts'), 'secret')
  const pages = readPages(folder)
  assert.deepEqual(
    [...pages.keys()].filter(name => !name.startsWith('/console/vendor/')),
    ['/', '/console/views/table.js'],
  )
  const table = pages.get('/console/views/table.js')
  assert.deepEqual([table?.type, table?.body.toString()], ['text/javascript; charset=utf-8', 'export {}\n'])
  assert.equal(gunzipSync(table?.gzipped ?? '').toString(), 'export {}\n')
  assert.notEqual(table?.etag, pages.get('/')?.etag)
  for (const [name, { body }] of pages)
    for (const [, to = ''] of body.toString().matchAll(/\bfrom\s*"(\.[^"]+)"/g))
      assert.ok(pages.has(path.posix.join(path.posix.dirname(name), to)), `${name} imports ${to}, which is not served`)
})

test('the policy of the page allows no inline script or style, no other host and no frame', () => {
  const policy = pageHeaders['content-security-policy']
  assert.doesNotMatch(policy, /unsafe|https?:|\*|data:/)
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
    assert.ok(policy.includes(rule))
})
