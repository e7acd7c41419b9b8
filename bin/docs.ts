/** Generates the pages, and tables within pages, of docs/ that derive from the source: `npm run docs`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { commands } from '../src/cli/commands.ts'
import { commandsPage } from '../src/cli/help.ts'
import { configurationPage } from '../src/config/help.ts'
import { adminPage } from './admin-page.ts'
import { metricsPage } from './metrics-page.ts'
import { withSilentAnswers } from './silent-answers.ts'

const protocol = new URL('../docs/protocol.md', import.meta.url)

writeFileSync(new URL('../docs/configuration.md', import.meta.url), configurationPage())
writeFileSync(new URL('../docs/admin-api.md', import.meta.url), adminPage())
writeFileSync(new URL('../docs/cli.md', import.meta.url), commandsPage(commands))
writeFileSync(new URL('../docs/metrics.md', import.meta.url), metricsPage())
writeFileSync(protocol, withSilentAnswers(readFileSync(protocol, 'utf8')))
