/**
 * What is around every page: the way to the others, and whether the bridge answers.
 */
import { stationsLink, type Place } from '../model/places.ts'
import type { Grant } from '../net/api.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'

export type Frame = {
  readonly place: Place
  readonly grant: Grant
  readonly isUp: boolean
  readonly content: TemplateResult
  readonly onSignOut: () => void
}

export function frameView({ place, grant, isUp, content, onSignOut }: Frame): TemplateResult {
  const isAt = (pages: readonly Place['page'][]) => (pages.includes(place.page) ? 'page' : nothing)
  return html`
    <a class="skip" href="#main" @click=${onSkip}>Skip to the content</a>
    <header class="top">
      <span class="brand"><span class="brand-mark" aria-hidden="true"></span>ocpp-cable</span>
      <nav aria-label="Pages">
        <a href="#/" aria-current=${isAt(['overview'])}>Overview</a>
        <a href=${stationsLink({})} aria-current=${isAt(['stations', 'station'])}>Stations</a>
      </nav>
      <span class="who">
        ${grant === 'read token' ? html`<span class="chip" title="This token may read only">Read only</span>` : nothing}
        ${grant === 'loopback' ? nothing : html`<button class="plain" @click=${onSignOut}>Sign out</button>`}
      </span>
    </header>
    <div class="banner-place" role="status">
      ${
        isUp
          ? nothing
          : html`<p class="banner">
              <span aria-hidden="true">▲</span> The bridge does not answer. What you see is what it said last; the page
              tries again by itself.
            </p>`
      }
    </div>
    ${content}
  `
}

/** The address names the page, so the link must not change it. */
function onSkip(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main h1')?.focus()
}
