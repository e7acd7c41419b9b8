/**
 * A Rails app from `rails new`, for the pages that begin with one.
 *
 * Its gems are those of `new-app/Gemfile`, at exact versions, in the same cache folder as those of examples/rails.
 */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programEnv } from './bridge.ts'
import { run } from './process.ts'
import { bundleEnvOf, installGems } from './rails.ts'

const gemfile = fileURLToPath(new URL('new-app/Gemfile', import.meta.url))
/** Tools of development that no page uses, and that take a minute to compile. */
const skipped = '--skip-rubocop --skip-brakeman --skip-docker --skip-git'

/** Has the gems installed. Takes ten seconds after those of examples/rails, and half a second when they are there. */
export async function installNewApp(): Promise<void> {
  await installGems(gemfile)
}

/** A folder in which `rails new` works as on a developer's machine. */
export interface NewAppFolder {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Has the next `bundle` in this app choose the installed versions, where a developer's takes the newest ones. */
  pinGems(app: string): void
}

export async function openNewAppFolder(folder: string): Promise<NewAppFolder> {
  await installNewApp()
  const gems = await run('bundle', ['exec', 'ruby', '-e', 'print Gem.dir'], { env: bundleEnvOf(gemfile) })
  const gemHome = gems.stdout.trim()
  const settings = join(folder, 'settings')
  mkdirSync(join(settings, 'rails'), { recursive: true })
  writeFileSync(join(settings, 'rails', 'railsrc'), `${skipped}\n`)
  return {
    env: programEnv({
      GEM_HOME: gemHome,
      PATH: [join(gemHome, 'bin'), process.env['PATH']].join(delimiter),
      XDG_CONFIG_HOME: settings,
      BUNDLE_SILENCE_ROOT_WARNING: '1',
      BUNDLE_GEMFILE: undefined,
      BUNDLE_PATH: undefined,
      RAILS_ENV: undefined,
      RUBYOPT: undefined,
    }),
    pinGems: app => {
      mkdirSync(app, { recursive: true })
      copyFileSync(`${gemfile}.lock`, join(app, 'Gemfile.lock'))
    },
  }
}
