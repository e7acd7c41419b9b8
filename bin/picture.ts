/** Runs bin/demo and draws its output into docs/demo.svg: `npm run picture`. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { demoPicture } from './demo-picture.ts'

const demo = fileURLToPath(new URL('demo', import.meta.url))
const output = execFileSync(demo, { encoding: 'utf8' })
writeFileSync(
  new URL('../docs/demo.svg', import.meta.url),
  demoPicture(['$ bin/demo', ...output.trimEnd().split('\n')]),
)
