/**
 * The console: a page for people, on the admin API. Draws the page that the address names, and again whenever it has
 * news.
 */
import { placeOf, type Place } from './model/places.ts'
import { Api, type Grant } from './net/api.ts'
import type { Context, Page } from './pages/page.ts'
import { OverviewPage } from './pages/overview.ts'
import { SignInPage } from './pages/signin.ts'
import { StationPage } from './pages/station.ts'
import { StationsPage } from './pages/stations.ts'
import { frameView } from './views/frame.ts'
import { render } from './vendor/lit-html/lit-html.js'

class Console {
  readonly #root: HTMLElement
  readonly #api = new Api(() => this.#onSignedOut())
  #grant: Grant = null
  #page: Page
  #place: Place = { page: 'overview' }
  #isUp = true
  #isDrawing = false

  constructor(root: HTMLElement) {
    this.#root = root
    this.#page = this.#signInPage()
    window.addEventListener('hashchange', () => this.#go())
    // Times such as "5 s ago" grow old by themselves.
    setInterval(() => this.#redraw(), 1_000)
  }

  async open(): Promise<void> {
    this.#grant = await this.#api.grant().catch(() => null)
    this.#go()
  }

  #go(): void {
    const place = placeOf(location.hash)
    const isSame = this.#place.page === place.page && place.page === 'stations' && this.#page instanceof StationsPage
    this.#place = place
    if (isSame && this.#page instanceof StationsPage) this.#page.show(place.filter)
    else {
      this.#page.close()
      this.#page = this.#grant === null ? this.#signInPage() : this.#pageAt(place)
      this.#draw()
      this.#focusPage()
    }
  }

  #pageAt(place: Place): Page {
    const context: Context = {
      api: this.#api,
      grant: this.#grant,
      redraw: () => this.#redraw(),
      now: () => Date.now(),
      onLink: isUp => (this.#isUp = isUp),
    }
    switch (place.page) {
      case 'overview':
        return new OverviewPage(context)
      case 'stations':
        return new StationsPage(context, place.filter)
      case 'station':
        return new StationPage(context, place.id)
    }
  }

  #signInPage(): Page {
    return new SignInPage(
      this.#api,
      () => this.#redraw(),
      grant => {
        this.#grant = grant
        this.#go()
      },
    )
  }

  #onSignedOut(): void {
    this.#grant = null
    this.#go()
  }

  #redraw(): void {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => {
      this.#isDrawing = false
      this.#draw()
    })
  }

  #draw(): void {
    document.title = `${this.#page.title} · ocpp-cable`
    const content = this.#page.view()
    const onSignOut = (): void => void this.#api.signOut().then(() => this.#onSignedOut())
    const frame = { place: this.#place, grant: this.#grant, isUp: this.#isUp, content, onSignOut }
    render(this.#grant === null ? content : frameView(frame), this.#root)
    this.#page.drawn?.()
  }

  /** After a change of page, the keyboard and the screen reader begin at its heading. */
  #focusPage(): void {
    const first = document.querySelector<HTMLElement>('#token') ?? document.querySelector('h1')
    first?.focus()
  }
}

const root = document.getElementById('console')
if (root !== null) {
  root.replaceChildren()
  await new Console(root).open()
}
