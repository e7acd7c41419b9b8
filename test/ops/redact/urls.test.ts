import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redactDescription, redactFrame, redactWhole } from '../../../src/ops/redact/redact.ts'
import { hasUrlSecret, maskUrls } from '../../../src/ops/redact/urls.ts'

/** [the URL as JSON has it, how it is shown, because] */
const masked: readonly (readonly [url: string, shown: string, because: string])[] = [
  ['ftp://user:pa%20ss@files.example/in', 'ftp://***@files.example/in', 'a user and a password'],
  ['ftp://user@files.example/in', 'ftp://***@files.example/in', 'a user'],
  ['ftp://user:p@ss@files.example', 'ftp://***@files.example', 'an @ in the password'],
  [String.raw`ftp:\/\/user:pass@files.example\/in`, String.raw`ftp:\/\/***@files.example\/in`, 'escaped slashes'],
  [String.raw`ftp:\u002f\u002Fuser:pw@files.example`, String.raw`ftp:\u002f\u002F***@files.example`, 'coded slashes'],
  [
    String.raw`ftp\u003A//user\u003apw\u0040files.example`,
    String.raw`ftp\u003A//***@files.example`,
    'a coded colon and @',
  ],
  [String.raw`ftp://user:S3cr\u0026tPw@files.example/x`, 'ftp://***@files.example/x', 'an & as Rails writes it'],
  [String.raw`ftp://user:S3cr\"t\\Pw@files.example/x`, 'ftp://***@files.example/x', 'a quote and a backslash'],
  ['ftp://user:pw/0rd@files.example/x', 'ftp://***@files.example/x', 'a slash in the password'],
  [String.raw`ftp://user:pw\/0@rd@files.example/x`, 'ftp://***@files.example/x', 'a slash and an @ in the password'],
  ['https://h/p?sv=1&sig=aB%2B&se=2', 'https://h/p?sv=1&sig=***&se=2', 'a signature'],
  [
    String.raw`https://h/p?X-Amz-Signature\u003da1\u0026x=2`,
    String.raw`https://h/p?X-Amz-Signature\u003d***\u0026x=2`,
    'an escaped one',
  ],
  [String.raw`x\",\"ftp:\\\/\\\/user:p\\u0026w\\u0040h\"`, String.raw`x\",\"ftp:\\\/\\\/***@h\"`, 'JSON in a string'],
]
for (const [url, shown, because] of masked) {
  test(`the secret of ${url} is masked: ${because}`, () => {
    const frame = (location: string): string => `[2,"1","GetDiagnostics",{"location":"${location}","retries":1}]`
    assert.equal(redactFrame(frame(url)), frame(shown))
    assert.equal(redactWhole(frame(url)), frame(shown))
    assert.equal(hasUrlSecret(url), true)
    assert.equal(redactDescription('no such host', frame(url)), '***')
    assert.equal(maskUrls(`${url} failed`), `${shown} failed`)
    JSON.parse(redactWhole(frame(url)))
  })
}

const shown: readonly (readonly [text: string, because: string])[] = [
  ['https://h/a@b', 'an @ in the path'],
  ['https://h:8443/a', 'a port'],
  ['"https://h/a","user:pass@h"', 'an @ behind the end of the URL'],
  ['https://h:1/a a@b', 'an @ behind white space'],
  ['wss://h', 'a host'],
  ['https://h/?config=1', 'another parameter'],
  ['sig=a1', 'no URL'],
  ['://', 'nothing behind the slashes'],
  ['a:b@c', 'no slashes'],
]
for (const [text, because] of shown) {
  test(`${text} has no secret of a URL: ${because}`, () => {
    assert.equal(maskUrls(text), text)
    assert.equal(hasUrlSecret(text), false)
  })
}

test('a text of many beginnings of URLs is read as one URL', () => {
  for (const start of ['://', String.raw`:\/\/`, String.raw`\u003a\u002f\u002f`, `:${'\\'.repeat(1_000)}//`]) {
    const text = start.repeat(100_000 / start.length + 1)
    assert.equal(maskUrls(text), text)
    assert.equal(maskUrls(`${text}user:pw@h`), `${start}***@h`)
  }
})

test('a URL as long as the largest text is masked', () => {
  for (const part of ['x', String.raw`\\`, String.raw`\"`, '@', '/'])
    assert.equal(maskUrls(`ftp://u:${part.repeat(2 ** 20)}@h`), 'ftp://***@h', part)
})
