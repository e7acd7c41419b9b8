/**
 * `npm run release:check`: the npm package as people get it. It is packed, installed into an empty folder with
 * `npm install --global --prefix`, and serves a charging session, on each supported major version of Node.
 *
 *   npm run release:check -- --majors=20,26
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../support/process.ts'
import { installNode, majors } from '../support/nodes.ts'
import { checkInstalled, installPackage, sizeOf } from './package.ts'

const { values } = parseArgs({ options: { majors: { type: 'string', default: majors.join(',') } } })
const note = (text: string): boolean => process.stdout.write(`${text}\n`)
const scratch = await mkdtemp(join(tmpdir(), 'ocpp-cable-release-'))

try {
  const packed = await run('npm', ['pack', '--silent', '--pack-destination', scratch])
  if (packed.code !== 0) throw new Error(packed.stderr)
  const tarball = join(scratch, packed.stdout.trim().split('\n').at(-1) ?? '')
  note(`${tarball.slice(scratch.length + 1)}: ${await sizeOf(tarball)} kB`)
  for (const major of values.majors.split(',')) {
    const node = await installNode(major)
    const prefix = join(scratch, major)
    await installPackage(tarball, prefix, dirname(node))
    const version = await checkInstalled(prefix, dirname(node))
    const { stdout } = await run(node, ['--version'])
    note(
      `Node ${stdout.trim()}: ocpp-cable ${version} installed (${await sizeOf(prefix)} kB), check and a session pass`,
    )
  }
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  await rm(scratch, { recursive: true })
}
