import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertNoSecret, noteFrame, noteHeaders, noteKey, noteOptions, noteSecret } from './secrets.ts'
import { temporaryDirectory } from './store.ts'

const leaks = (text: string, isSensitive = false): boolean => {
  try {
    assertNoSecret(text, isSensitive)
    return false
  } catch {
    return true
  }
}

test('a secret is found in its text, in base64 and in hexadecimal digits, and not inside a longer word', () => {
  noteSecret('open-sesame-1')
  const bytes = Buffer.from('open-sesame-1')
  for (const form of ['key=open-sesame-1.', bytes.toString('base64'), bytes.toString('hex')])
    assert.ok(leaks(form), form)
  assert.equal(leaks('reopen-sesame-1x'), false)
})

test('a short tag is found as a text in quotes only, also in JSON in JSON', () => {
  noteFrame('[2,"a","Authorize",{"idTag":"TAG7"}]')
  assert.deepEqual([leaks('"TAG7"'), leaks(String.raw`\"TAG7\"`), leaks('TAG7 and "TAG78"')], [true, true, false])
  assert.equal(leaks('"TAG7"', true), false, 'log_sensitive shows frames')
})

test('keys in commands, and members of JSON in a string and of broken JSON, are noted', () => {
  noteFrame('{"command":"ChangeConfiguration","payload":{"key":"AuthorizationKey","value":"noted-value-1"}}')
  noteFrame(String.raw`{"data":"{\"csr\":\"noted-csr-1\"}"}`)
  noteFrame('[2,"d","Authorize",{"idTag":"noted-tag-1"')
  noteFrame(String.raw`{"command":"GetDiagnostics","payload":{"location":"ftp:\/\/user:noted/url-1@files.example\/"}}`)
  for (const secret of ['noted-value-1', 'noted-csr-1', 'noted-tag-1', 'noted/url-1'])
    assert.ok(leaks(` ${secret} `), secret)
})

test('headers, keys, options and files of secrets are noted, and no option shows them', t => {
  const file = join(temporaryDirectory(t), 'rsa.key')
  const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj'
  writeFileSync(file, `-----BEGIN PRIVATE KEY-----\n${line}\n-----END PRIVATE KEY-----\n`)
  noteHeaders({
    Authorization: `Basic ${Buffer.from('CP1:noted:password').toString('base64')}`,
    cookie: 'a=noted-cookie',
  })
  noteKey('CP2', 'noted-key-2')
  noteOptions([`--ssl_key=${file}`, '--admin_token=noted-token', '--nats_servers=nats://u:noted-nats@h:1'], {
    ANYCABLE_SECRET: 'noted-secret',
    ANYCABLE_BROADCAST_KEY: 'none',
  })
  const basic = Buffer.from('CP2:noted-key-2').toString('base64')
  for (const secret of ['noted:password', 'noted-cookie', basic, line, 'noted-token', 'noted-nats', 'noted-secret'])
    assert.ok(leaks(` ${secret} `, true), secret)
  assert.equal(leaks('none of these'), false)
})
