/**
 * A person at the console, with a keyboard and without a mouse.
 */
import assert from 'node:assert/strict'
import axe from 'axe-core'
import type { Browser, Page } from 'puppeteer-core'

export type Screen = { readonly width: number; readonly scheme: 'light' | 'dark' }

export interface Person {
  readonly page: Page
  /** What the browser complained about, and the hosts that it asked other than the bridge. */
  readonly complaints: readonly string[]
  signIn(token: string): Promise<void>
  /** Resolves when an element has the focus. */
  isAt(selector: string): Promise<void>
  /** Presses Tab until an element has the focus. */
  tabTo(selector: string): Promise<void>
  /** Tabs to an element, and presses Enter. */
  press(selector: string): Promise<void>
  type(text: string): Promise<void>
  /** Resolves when an element has a text that fits. */
  reads(selector: string, pattern: RegExp): Promise<string>
  /** Rejects for findings of axe that are serious or critical. */
  checkAccess(): Promise<void>
  close(): Promise<void>
}

const mostTabs = 150

/** @param url of the console */
export async function openPerson(browser: Browser, url: string, { width, scheme }: Screen): Promise<Person> {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  await page.bringToFront()
  const complaints: string[] = []
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warn') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('request', request => {
    if (!request.url().startsWith(url)) complaints.push(`asked ${request.url()}`)
  })
  await page.setViewport({ width, height: width < 600 ? 844 : 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(url)
  // Not `:focus`, which does not match while the window is in the background.
  const hasFocus = (selector: string): string => `document.activeElement?.matches(${JSON.stringify(selector)}) === true`
  const isAt = async (selector: string): Promise<void> => {
    await page.waitForFunction(hasFocus(selector))
  }
  const tabTo = async (selector: string): Promise<void> => {
    for (let tabs = 0; tabs < mostTabs; tabs++) {
      if ((await page.evaluate(hasFocus(selector))) === true) return
      await page.keyboard.press('Tab')
    }
    assert.fail(`${mostTabs} tabs do not lead to ${selector}`)
  }
  return {
    page,
    complaints,
    signIn: async token => {
      await isAt('#token')
      await page.keyboard.type(token)
      await page.keyboard.press('Enter')
      await page.waitForSelector('nav')
    },
    isAt,
    tabTo,
    press: async selector => {
      await page.waitForSelector(selector)
      await tabTo(selector)
      await page.keyboard.press('Enter')
    },
    type: text => page.keyboard.type(text),
    reads: async (selector, pattern) => {
      const elements = `Array.from(document.querySelectorAll(${JSON.stringify(selector)}), each => each.textContent)`
      const fits = `new RegExp(${JSON.stringify(pattern.source)}, ${JSON.stringify(pattern.flags)})`
      try {
        const found = await page.waitForFunction(`${elements}.find(text => ${fits}.test(text))`)
        return String(await found.jsonValue())
      } catch (cause) {
        throw new Error(
          `${selector} does not read ${String(pattern)}: ${JSON.stringify(await page.evaluate(elements))}`,
          { cause },
        )
      }
    },
    checkAccess: () => checkAccess(page),
    close: () => context.close(),
  }
}

type Finding = {
  readonly id: string
  readonly impact: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

async function checkAccess(page: Page): Promise<void> {
  await page.evaluate(axe.source)
  const { violations } = (await page.evaluate('axe.run()')) as { readonly violations: readonly Finding[] }
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  assert.deepEqual(
    grave.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
    ),
    [],
  )
}
