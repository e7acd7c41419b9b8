/**
 * How a deployment file starts the bridge: its flags and variables, resolved by the option table.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from '../../src/config/resolve.ts'
import type { Config } from '../../src/config/rules.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const configurationPage = read('docs/configuration.md')

export type Env = Readonly<Record<string, string>>

/** What the image sets. */
export const imageEnv: Env = Object.fromEntries(
  Array.from(read('Dockerfile').matchAll(/(ANYCABLE_\w+)=(\S+)/g), ([, name = '', value = '']) => [name, value]),
)

/** The configuration; fails unless each variable is an option's, and the bridge starts without a warning. */
export function configOf({ argv = [], env = {} }: { readonly argv?: readonly string[]; readonly env?: Env }): Config {
  for (const name of Object.keys(env)) assert.ok(configurationPage.includes(`\`${name}\``), `${name} is no option`)
  const resolution = resolve({ argv, env, file: null, nodeId: 'test' })
  assert.deepEqual(resolution.warnings, [])
  if (!resolution.ok) throw new Error(resolution.problems.join('\n'))
  return resolution.config
}
