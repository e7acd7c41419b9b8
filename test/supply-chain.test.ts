/**
 * What the bridge is shipped with: the licence of each production dependency, which of them run a script when they are
 * installed, and the bill of materials.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { installScripts } from './support/install-scripts.ts'
import { run } from './support/process.ts'

const root = new URL('..', import.meta.url)
const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, root), 'utf8'))

type Package = {
  readonly version: string
  readonly license?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

const { packages } = read('package-lock.json') as { readonly packages: Readonly<Record<string, Package>> }
const shipped = Object.entries(packages)
  .filter(([path, { dev = false }]) => path !== '' && !dev)
  .map(([path, each]) => ({ ...each, path, name: path.replace(/^.*node_modules\//, '') }))

const allowed = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense'])
/** A package without the field, and where it names its licence. */
const namedElsewhere = new Map([['precond', { file: 'README.md', words: 'MIT license', license: 'MIT' }]])

for (const { name, version, path, license = namedElsewhere.get(name)?.license } of shipped) {
  test(`the licence of ${name}@${version} may be shipped: ${license}`, () => {
    assert.ok(allowed.has(license ?? ''), `${path}: ${license}`)
    const elsewhere = namedElsewhere.get(name)
    if (elsewhere !== undefined)
      assert.ok(readFileSync(new URL(`${path}/${elsewhere.file}`, root), 'utf8').includes(elsewhere.words))
  })
}

test('no production dependency needs an install script: each that has one is known to work without it', () => {
  const withScript = shipped.filter(({ hasInstallScript = false }) => hasInstallScript).map(({ name }) => name)
  assert.deepEqual([...new Set(withScript)].sort(), [...installScripts.keys()].sort())
  for (const where of ['Dockerfile', 'test/e2e/readme.test.ts'])
    assert.match(readFileSync(new URL(where, root), 'utf8'), /--ignore-scripts/, where)
  const page = readFileSync(new URL('docs/security.md', root), 'utf8')
  for (const name of installScripts.keys()) assert.ok(page.includes(`\`${name}\``), `docs/security.md: ${name}`)
})

test('npm run sbom writes a valid CycloneDX document with the production dependencies and their licences', async () => {
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'sbom'], { cwd: root.pathname })
  assert.equal(code, 0, stderr)
  const bom = JSON.parse(stdout) as {
    readonly metadata: { readonly component: { readonly name: string } }
    readonly components: readonly { readonly name: string; readonly version: string; readonly licenses?: unknown[] }[]
  }
  const schemas = 'node_modules/@cyclonedx/cyclonedx-library/res/schema'
  const ajv = new Ajv({ strict: false })
  formats.default(ajv)
  for (const name of ['idn-email', 'iri-reference']) ajv.addFormat(name, true)
  for (const name of ['spdx', 'jsf-0.82'])
    ajv.addSchema(
      read(`${schemas}/${name}.SNAPSHOT.schema.json`) as object,
      `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`,
    )
  const validate = ajv.compile(read(`${schemas}/bom-1.5.SNAPSHOT.schema.json`) as object)
  assert.equal(validate(bom), true, JSON.stringify(validate.errors))
  assert.equal(validate({ ...bom, components: [{ type: 'library' }] }), false)
  const listed = bom.components.map(({ name, version }) => `${name}@${version}`)
  assert.deepEqual(listed.sort(), [...new Set(shipped.map(({ name, version }) => `${name}@${version}`))].sort())
  assert.equal(bom.metadata.component.name, 'ocpp-cable')
  const unlicensed = bom.components.filter(({ licenses = [] }) => licenses.length === 0).map(({ name }) => name)
  assert.deepEqual(unlicensed, ['precond'])
})
