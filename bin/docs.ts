/** Writes the pages of docs/ that are made from tables: `npm run docs`. */
import { writeFileSync } from 'node:fs'
import { configurationPage } from '../src/config/help.ts'
import { metricsPage } from '../src/ops/metrics.ts'

writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationPage())
writeFileSync(new URL('../docs/metrics.md', import.meta.url), metricsPage())
