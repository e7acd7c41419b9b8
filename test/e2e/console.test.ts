/**
 * The console of the built bridge, in a real Chromium, used with the keyboard alone.
 *
 * `CONSOLE_PICTURES=docs` makes the pictures of the documentation: `npm run picture:console`.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import type { Browser } from 'puppeteer-core'
import { openPerson, type Person, type Screen } from '../support/browser.ts'
import { installChromium, openChromium } from '../support/chromium.ts'
import { openFleet, tokens, troubledId, type Fleet } from '../support/console.ts'
import { keepUntil } from '../support/keep.ts'

const stations = 2_000
const keep = keepUntil(after)

let fleet: Fleet
let browser: Browser

before(async () => {
  await installChromium()
  fleet = await openFleet(keep, stations)
  browser = keep(await openChromium())
})

const desk: Screen = { width: 1_440, scheme: 'light' }

async function personAt(t: TestContext, screen: Screen = desk): Promise<Person> {
  return keepUntil(close => t.after(close))(await openPerson(browser, fleet.adminUrl, screen))
}

const pictures = process.env['CONSOLE_PICTURES']

/** A picture for the documentation, when pictures are asked for. */
async function picture({ page }: Person, { width, scheme }: Screen, name: string): Promise<void> {
  if (pictures === undefined || width < 600 !== (scheme === 'dark')) return
  await page.screenshot({ path: path.join(pictures, `console-${name}.webp`), quality: 70 })
}

const screens: readonly Screen[] = [
  { width: 1_440, scheme: 'light' },
  { width: 1_440, scheme: 'dark' },
  { width: 390, scheme: 'light' },
  { width: 390, scheme: 'dark' },
]
for (const [turn, screen] of screens.entries()) {
  test(`a station is found, watched and sent a command by keyboard at ${screen.width} px in ${screen.scheme} colours`, async t => {
    const person = await personAt(t, screen)
    const { page } = person
    await person.checkAccess()
    await person.signIn(tokens.full)
    await person.reads('.tile', /^\s*Connected\s*[\d,]+/)
    await person.reads('.warnings', new RegExp(troubledId))
    if (pictures !== undefined) await page.waitForSelector('.chart[aria-label*="Now"]')
    await person.checkAccess()
    await picture(person, screen, `overview-${screen.scheme}`)

    await person.press('nav a[href="#/stations"]')
    await person.reads('h1 + p', /2,000 stations/)
    await page.keyboard.press('/')
    await person.type('1203')
    await person.reads('h1 + p', /^1 station$/)
    await person.checkAccess()
    await person.press(`.row a[href="#/stations/${troubledId}"]`)

    await person.reads('.finding', /Authorize with Blocked/)
    await person.reads('.finding', /breaks? .*official schema.*\/errorCode/)
    await person.reads('.entry.trouble summary', /GetTariff\s*✕\s*NotImplemented/)
    const id = `live${turn}`
    await fleet.troubled.call(id, 'DataTransfer', '{"vendorId":"V","data":"news"}')
    await person.press('.entry:first-child summary')
    await person.reads('.entry[class] details[open] .json', /"news"/)
    await person.reads('.entry details[open]', new RegExp(`Message id ${id}`))

    await person.tabTo('#command-action')
    await person.type('Reset')
    await person.reads('label[for="field/type"]', /type/)
    await person.tabTo('.command .primary')
    await page.keyboard.press('Enter')
    await person.reads('.command .error', /It is missing/)
    await page.keyboard.down('Shift')
    await person.tabTo('[id="field/type"]')
    await page.keyboard.up('Shift')
    await person.type('Soft')
    await person.press('.command .primary')
    await answerNext(turn)
    await person.reads('.outcome', /Reset: Accepted\s+after/)
    await person.reads('.outcome .json', /"status": "Accepted"/)
    await person.checkAccess()
    await picture(person, screen, `station-${screen.scheme}`)
    assert.deepEqual(person.complaints, [])
  })
}

/** Answers the command after so many others. */
async function answerNext(before: number): Promise<void> {
  const resets = (): readonly string[] => fleet.troubled.received.filter(text => /^\[2,"[^"]+","Reset"/.test(text))
  for (let seen = before; seen > 0; seen--) await fleet.troubled.message(/"Reset"/)
  while (resets().length <= before) await new Promise(resolve => setImmediate(resolve))
  const [, id] = JSON.parse(resets()[before] ?? '') as [number, string]
  fleet.troubled.send(JSON.stringify([3, id, { status: 'Accepted' }]))
}

test('the read-only token sees a station, and cannot send', async t => {
  const person = await personAt(t)
  await person.signIn(tokens.read)
  await person.reads('.who', /Read only/)
  await person.page.goto(`${fleet.adminUrl}/#/stations/${troubledId}`)
  await person.reads('.entry', /BootNotification|DataTransfer/)
  await person.reads('section', /This token may look, but not send/)
  assert.equal(await person.page.$('#command-action'), null)
  assert.deepEqual(person.complaints, [])
})

test('a wrong token is told so, and the right one is neither in the address, nor in the storage, nor in the log', async t => {
  const person = await personAt(t)
  const { page } = person
  await person.isAt('#token')
  await person.type('wrong')
  await page.keyboard.press('Enter')
  await person.reads('#token-error', /This token is wrong/)
  await person.tabTo('#token')
  await page.keyboard.down('Control')
  await page.keyboard.press('a')
  await page.keyboard.up('Control')
  await person.signIn(tokens.full)
  const stored = 'JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie])'
  const kept = String(await page.evaluate(stored))
  assert.ok(!kept.includes(tokens.full) && !kept.includes('ocpp-cable-'), kept)
  assert.ok(!fleet.bridge.process.output.includes(tokens.full))
  await person.press('.who button')
  await person.isAt('#token')
  await page.reload()
  await person.isAt('#token')
})

test('the list draws the rows that are seen, from the first of 2,000 to the last', async t => {
  const person = await personAt(t)
  const { page } = person
  await person.signIn(tokens.full)
  await page.goto(`${fleet.adminUrl}/#/stations`)
  await person.reads('.rows .row', /CP-0000/)
  await page.evaluate('document.getElementById("rows").scrollTo(0, 1e9)')
  await person.reads('.rows .row', /CP-1999/)
  const drawn = await page.$$eval('.rows .row', rows => rows.length)
  assert.ok(drawn > 10 && drawn < 100, String(drawn))
  await person.reads('.rows .row [role="cell"]', /CP-1999/)
  await page.focus('.rows .row:last-child a')
  await page.keyboard.press('ArrowUp')
  await person.isAt('.rows .row:nth-last-child(2) a')
  assert.deepEqual(person.complaints, [])
})

test('a search is answered while stations come and go all the time', async t => {
  const person = await personAt(t)
  await person.signIn(tokens.full)
  await person.page.goto(`${fleet.adminUrl}/#/stations`)
  await person.page.waitForSelector('.live.on')
  const end = new AbortController()
  const busy = (async () => {
    while (!end.signal.aborted) await (await fleet.open('CP-busy')).close()
  })()
  try {
    await person.page.keyboard.press('/')
    await person.type('1203')
    await person.reads('h1 + p', /^1 station$/)
  } finally {
    end.abort()
    await busy
  }
  assert.deepEqual(person.complaints, [])
})

test('what a station says stays text', async t => {
  const id = '"><img src=x onerror=alert(1)>'
  const station = await fleet.open(id)
  const person = await personAt(t)
  const { page } = person
  page.on('dialog', () => assert.fail('a script of a station ran'))
  await person.signIn(tokens.full)
  await page.goto(`${fleet.adminUrl}/#/stations/${encodeURIComponent(id)}`)
  await person.reads('h1', /<img src=x onerror=alert\(1\)>/)
  await station.call('b', '<i id="evil">', '{"<u id=\'evil\'>":"<script>alert(1)</script>"}')
  await station.call('c', 'DataTransfer', '{"vendorId":"<u id=\'evil\'>\u202e","data":"<script>alert(1)</script>"}')
  await person.reads('.entry', /DataTransfer/)
  await person.press('.entry:first-child summary')
  await person.reads('.json', /<u id='evil'>\\u202e/)
  await station.close()
  await person.reads('.finding', /It left/)
  await page.goto(`${fleet.adminUrl}/#/stations?state=disconnected`)
  await person.reads('.rows .row', /<img src=x/)
  assert.deepEqual([await page.$('#evil'), await page.$('img')], [null, null])
  assert.deepEqual(person.complaints, [])
})

test('a station that was refused is found, with the reason', async t => {
  await assert.rejects(fleet.open('CP-old', 'ocpp1.5'))
  const person = await personAt(t)
  await person.signIn(tokens.full)
  await person.page.goto(`${fleet.adminUrl}/#/stations?state=refused`)
  await person.reads('.rows .row', /CP-old\s*⊘ Refused/)
  await person.press('.rows .row a')
  await person.reads('.finding', /was refused .* with HTTP 400/)
  await person.reads('section', /A command needs a connected station/)
  await person.page.goto(`${fleet.adminUrl}/#/stations/CP-none`)
  await person.reads('.note', /does not know this station/)
})

const troubles: readonly (readonly [
  id: string,
  inList: RegExp,
  finding: RegExp,
  trouble: (id: string) => Promise<unknown>,
])[] = [
  [
    'CP-loop',
    /reconnects again and again/,
    /connects and drops again and again: 3 of its connections ended/,
    async id => {
      for (let time = 0; time < 3; time++) await (await fleet.open(id)).close()
      await fleet.open(id)
    },
  ],
  [
    'CP-schema',
    /breaks the schema/,
    // Before and after the messages are on the page.
    /(?:A message of it|1 message below) breaks its official schema, the latest StatusNotification .* ?\/errorCode/,
    async id =>
      (await fleet.open(id)).call('s', 'StatusNotification', '{"connectorId":1,"errorCode":"No","status":"Faulted"}'),
  ],
  [
    'CP-refused',
    /connection refused/,
    /was refused .* with HTTP 400/,
    async id => assert.rejects(fleet.open(id, 'ocpp1.5')),
  ],
]
for (const [id, inList, finding, trouble] of troubles)
  test(`${id} is found in the list of stations in trouble, and its page says what is wrong`, async t => {
    await trouble(id)
    const person = await personAt(t)
    await person.signIn(tokens.full)
    await person.press('section[aria-labelledby="troubled"] a[href^="#/stations?"]')
    await person.reads('.rows .row', new RegExp(`${id}.*${inList.source}`, 's'))
    await person.press(`.row a[href="#/stations/${id}"]`)
    await person.reads('.finding', finding)
    assert.deepEqual(person.complaints, [])
  })

test('while the app is away, a station and the overview say so, and what waits for the app is listed', async t => {
  const person = await personAt(t)
  await person.signIn(tokens.full)
  fleet.app.stop()
  const stop = { transactionId: 4711, meterStop: 9_000, timestamp: new Date().toISOString() }
  await fleet.troubled.call('stop', 'StopTransaction', JSON.stringify(stop))
  await person.page.goto(`${fleet.adminUrl}/#/stations/${troubledId}`)
  await person.reads('.finding', /The app does not answer the bridge/)
  await person.reads('section[aria-labelledby="stored"] li', /StopTransaction\s*▲ Waits/)
  await person.press('nav a[href="#/"]')
  await person.reads('.tile.bad', /The app\s*✕\s*Away/)
  await person.reads(
    'section[aria-labelledby="troubled"] li',
    new RegExp(`${troubledId}.*messages wait for the app`, 's'),
  )
  await fleet.app.start()
  await person.reads('.tile', /Outbox\s*●\s*0/)
  assert.deepEqual(person.complaints, [])
})

test('nothing moves for those who do not want it', async t => {
  const person = await personAt(t)
  await person.page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
  await person.signIn(tokens.full)
  await person.page.goto(`${fleet.adminUrl}/#/stations`)
  await person.page.waitForSelector('.live.on')
  const animations = await person.page.evaluate('document.getAnimations().length')
  assert.equal(animations, 0)
})

test('the page says when the bridge does not answer, and goes on by itself, signed in, when it is back', async t => {
  const person = await personAt(t)
  await person.signIn(tokens.full)
  await person.reads('.tile', /Connected/)
  await fleet.bridge.kill('SIGKILL')
  await person.reads('.banner', /does not answer/)
  await fleet.bridge.restart()
  await person.page.waitForFunction('document.querySelector(".banner") === null')
  await person.reads('.tile', /^\s*Connected\s*0/)
})
