/**
 * `npm run sbom`: prints the bill of materials of the production dependencies, in CycloneDX.
 *
 * `npm sbom --omit=dev` also leaves out what is a dependency of both kinds, such as `ws`; so its whole output is
 * filtered by the lock file here.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Bom = {
  readonly metadata: { readonly component: { readonly name: string } }
  readonly components: readonly { readonly 'bom-ref': string; readonly name: string; readonly version: string }[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}
type Lock = {
  readonly name: string
  readonly packages: Readonly<Record<string, { readonly version: string; readonly dev?: boolean }>>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const lock = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as Lock
const shipped = new Set(
  Object.entries(lock.packages)
    .filter(([, { dev = false }]) => !dev)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`),
)

const flags = ['--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application']
const bom = JSON.parse(execFileSync('npm', ['sbom', ...flags], { cwd: root, encoding: 'utf8' })) as Bom
const { component } = bom.metadata
const components = bom.components.filter(({ name, version }) => shipped.has(`${name}@${version}`))
const refs = new Set(components.map(each => each['bom-ref']))
const dependencies = bom.dependencies
  .filter(({ ref }) => refs.has(ref) || ref === `${lock.name}@${lock.packages['']?.version}`)
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter(each => refs.has(each)) }))
// npm takes the name of the folder.
const metadata = { ...bom.metadata, component: { ...component, name: lock.name } }
process.stdout.write(`${JSON.stringify({ ...bom, metadata, components, dependencies }, null, 2)}\n`)
