import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { expiryOf, readClientTrust, readKeyPair } from '../../../src/server/tls/certificates.ts'
import { openCa } from '../../support/certificate.ts'
import { run } from '../../support/process.ts'
import { replacements } from '../../support/replacements.ts'

const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-certificates-'))
const file = (name: string): string => join(folder, name)

async function makePair(name: string, ...key: readonly string[]): Promise<void> {
  const made = await run('openssl', [
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-newkey', ...key],
    ...['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
  ])
  assert.equal(made.code, 0, made.stderr)
}

before(async () => {
  await makePair('ec', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')
  await makePair('other', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1')
  await makePair('rsa', 'rsa:2048')
  writeFileSync(file('text'), 'nonsense')
})

after(() => rmSync(folder, { recursive: true }))

for (const name of ['ec', 'rsa']) {
  test(`readKeyPair reads the PEM text of a pair of ${name}`, () => {
    const [cert, key] = [file(`${name}.crt`), file(`${name}.key`)]
    assert.deepEqual(readKeyPair(cert, key), { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') })
  })
}

test('expiryOf is the time of the first certificate of a chain to expire', async () => {
  const long = ['-days', '400', '-subj', '/CN=long', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const outputs = ['-keyout', file('long.key'), '-out', file('long.crt')]
  assert.equal((await run('openssl', ['req', '-x509', '-nodes', ...long, ...outputs])).code, 0)
  const [soon, late] = [readFileSync(file('ec.crt'), 'utf8'), readFileSync(file('long.crt'), 'utf8')]
  const inDays = (days: number): number => Date.now() / 1000 + days * 86_400
  for (const [chain, days] of [
    [soon, 2],
    [late, 400],
    [late + soon, 2],
    [soon + late, 2],
  ] as const)
    assert.ok(Math.abs(expiryOf(chain) - inDays(days)) < 600, `${days} days`)
})

const refused: readonly (readonly [cert: string, key: string, problem: string, because: string])[] = [
  ['none', 'ec.key', 'ssl_cert: {cert} cannot be read', 'the certificate is missing'],
  ['ec.crt', 'none', 'ssl_key: {key} cannot be read', 'the key is missing'],
  ['text', 'ec.key', 'ssl_cert: {cert} is not a PEM certificate', 'the certificate is another file'],
  ['ec.key', 'ec.key', 'ssl_cert: {cert} is not a PEM certificate', 'the certificate is a key'],
  ['ec.crt', 'text', 'ssl_key: {key} is not a PEM private key', 'the key is another file'],
  ['ec.crt', 'ec.crt', 'ssl_key: {key} is not a PEM private key', 'the key is a certificate'],
  ['ec.crt', 'other.key', 'ssl_cert, ssl_key: {cert} and {key} do not match', 'the key is of another pair'],
  ['ec.crt', 'rsa.key', 'ssl_cert, ssl_key: {cert} and {key} do not match', 'the key is of another type'],
]
for (const [cert, key, problem, because] of refused) {
  test(`readKeyPair rejects ${cert} with ${key}, names the option and the file, and keeps the cause: ${because}`, () => {
    const message = problem.replace('{cert}', file(cert)).replace('{key}', file(key))
    assert.throws(
      () => readKeyPair(file(cert), file(key)),
      (error: unknown) => {
        assert.ok(error instanceof Error)
        assert.equal(error.message, message)
        assert.ok(error.cause instanceof Error)
        return true
      },
    )
  })
}

const readers: readonly (readonly [option: string, read: (name: string) => unknown])[] = [
  ['ssl_cert', name => readKeyPair(file(name), file('ec.key'))],
  ['ssl_key', name => readKeyPair(file('ec.crt'), file(name))],
  ['ssl_client_ca', name => readClientTrust(file(name), null)],
  ['ssl_client_crl', name => readClientTrust(file('ec.crt'), file(name))],
]
for (const { name, replace, problem } of replacements) {
  test(`readKeyPair and readClientTrust reject ${name}, and name the option and the file`, async () => {
    await replace(file('replaced'))
    for (const [option, read] of readers) {
      const message = `${option}: ${file('replaced')} ${problem === null ? 'is empty' : 'cannot be read'}`
      assert.throws(
        () => read('replaced'),
        (error: unknown) => {
          assert.ok(error instanceof Error)
          assert.equal(error.message, message)
          if (problem !== null) assert.match(String(error.cause), problem)
          return true
        },
      )
    }
  })
}

const text = (name: string): string => readFileSync(file(name), 'utf8')

/** Each text that `second` may be cut to; its last line break may be missing. */
const cutsOf = (second: string): readonly string[] =>
  Array.from({ length: second.trimEnd().length - 1 }, (_, at) => second.slice(0, at + 1))

const cutFiles: readonly (readonly [kind: string, expected: string, read: (name: string) => unknown])[] = [
  ['crt', 'ssl_cert: {file} is not a PEM certificate', name => readKeyPair(file(name), file('ec.key'))],
  ['crt', 'ssl_client_ca: {file} is not a PEM certificate', name => readClientTrust(file(name), null)],
  ['crl', 'ssl_client_crl: {file} is not a PEM revocation list', name => readClientTrust(file('ec.crt'), file(name))],
]
for (const [kind, expected, read] of cutFiles) {
  test(`${expected.split(':')[0]} rejects a file with two PEM blocks that is cut anywhere in the second`, async () => {
    if (kind === 'crl')
      for (const name of ['ec', 'other'])
        writeFileSync(file(`${name}.crl`), readFileSync(await (await openCa(file(`ca ${name}`), name)).crl(7)))
    const [first, second] = [text(`ec.${kind}`), text(`other.${kind}`)]
    const message = expected.replace('{file}', file('cut'))
    for (const cut of cutsOf(second)) {
      writeFileSync(file('cut'), first + cut)
      assert.throws(() => read('cut'), { message }, `${cut.length} of ${second.length} characters`)
    }
    writeFileSync(file('cut'), `A comment -- with dashes\n${first}${second.trimEnd()}`)
    assert.doesNotThrow(() => read('cut'))
  })
}

test('readClientTrust rejects a CA that is cut before a whole one', () => {
  writeFileSync(file('cut'), text('ec.crt').slice(0, 200) + text('other.crt'))
  assert.throws(() => readClientTrust(file('cut'), null), {
    message: `ssl_client_ca: ${file('cut')} is not a PEM certificate`,
  })
})

test('readClientTrust finds the cut behind a block of 8 MiB', () => {
  const large = `-----BEGIN OTHER-----\n${`${'A'.repeat(64)}\n`.repeat(2 ** 17)}-----END OTHER-----\n`
  writeFileSync(file('large'), large + text('ec.crt'))
  assert.doesNotThrow(() => readClientTrust(file('large'), null))
  writeFileSync(file('large'), (large + text('ec.crt')).slice(0, -50))
  assert.throws(() => readClientTrust(file('large'), null), /is not a PEM certificate$/)
})
