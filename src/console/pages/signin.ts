/**
 * Signing in with a token of the admin API.
 */
import { Refusal, type Api, type Grant } from '../net/api.ts'
import type { Page } from './page.ts'
import { html, nothing, type TemplateResult } from '../vendor/lit-html/lit-html.js'

export class SignInPage implements Page {
  readonly title = 'Sign in'
  readonly #api: Api
  readonly #redraw: () => void
  readonly #onSignedIn: (grant: Grant) => void
  #error = ''
  #isBusy = false

  constructor(api: Api, redraw: () => void, onSignedIn: (grant: Grant) => void) {
    this.#api = api
    this.#redraw = redraw
    this.#onSignedIn = onSignedIn
  }

  view(): TemplateResult {
    return html`<main class="sign-in" id="main">
      <form class="card" @submit=${this.#onSubmit}>
        <h1>ocpp-cable</h1>
        <p>Sign in to see the stations of this bridge.</p>
        <label for="token">Token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          spellcheck="false"
          autofocus
          required
          aria-describedby="token-help token-error"
          ?aria-invalid=${this.#error !== ''}
        />
        <p class="help" id="token-help">
          The value of <code>admin_token</code>, or of <code>admin_read_token</code> to look without changing anything.
        </p>
        <p class="error" id="token-error" role="alert">${this.#error === '' ? nothing : this.#error}</p>
        <button class="primary" ?disabled=${this.#isBusy}>${this.#isBusy ? 'Signing in …' : 'Sign in'}</button>
      </form>
    </main>`
  }

  close(): void {
    // It holds nothing.
  }

  readonly #onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const token = new FormData(form).get('token')
    if (typeof token === 'string' && token !== '') void this.#signIn(token, form)
  }

  async #signIn(token: string, form: HTMLFormElement): Promise<void> {
    this.#isBusy = true
    this.#redraw()
    try {
      const grant = await this.#api.signIn(token)
      form.reset()
      this.#onSignedIn(grant)
    } catch (error) {
      const isWrong = error instanceof Refusal && error.problem.status === 401
      if (isWrong) this.#error = 'This token is wrong.'
      else this.#error = error instanceof Refusal ? error.message : 'The bridge does not answer.'
    } finally {
      this.#isBusy = false
      this.#redraw()
    }
  }
}
