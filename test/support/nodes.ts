/** Other major versions of Node, whose binaries come from npm into the user's cache. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cache.ts'
import { run } from './process.ts'

/** The supported majors. */
export const majors = ['20', '22', '24', '26'] as const

/** The path of the newest binary of a major version that the cache has, or else npm. */
export async function installNode(major: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(cacheFolder('nodes'), major)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  if ((await run(node, ['--version'])).code === 0) return node
  await mkdir(folder, { recursive: true })
  const flags = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, stderr } = await run('npm', ['install', ...flags, `${name}@${major}`])
  if (code !== 0) throw new Error(`npm could not install ${name}@${major}:\n${stderr}`)
  return node
}
