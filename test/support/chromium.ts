/**
 * A real browser: Debian's Chromium, without a window, ended by its pid.
 */
import { existsSync } from 'node:fs'
import puppeteer, { type Browser } from 'puppeteer-core'
import { installPackages } from './process.ts'

const executablePath = '/usr/bin/chromium'

/** Installs Chromium if it is missing. */
export async function installChromium(): Promise<void> {
  if (existsSync(executablePath)) return
  await installPackages('chromium', 'fonts-dejavu-core')
  if (!existsSync(executablePath)) throw new Error('Chromium is missing. On Debian, as root: apt-get install chromium')
}

/** As root, and in containers, Chromium has no sandbox. It opens pages of this machine only. */
export function openChromium(): Promise<Browser> {
  return puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] })
}
