/**
 * The admin API, as the console asks it. The browser adds the cookie; no token is kept here.
 */
import type { Problem } from '../../admin/problems.ts'
import type { AnswerOf, RouteName } from '../../admin/routes.ts'

/** By what this browser is let in; `null`: it has to sign in. */
export type Grant = 'token' | 'read token' | 'loopback' | null

/** The bridge refused a request, with its reason. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title)
    this.problem = problem
  }
}

const sessionPath = '/console/session'

export class Api {
  readonly #onSignedOut: () => void

  /** @param onSignedOut called when the bridge no longer accepts the cookie */
  constructor(onSignedOut: () => void) {
    this.#onSignedOut = onSignedOut
  }

  /** Rejects with `Refusal`, or with a TypeError when the bridge does not answer. */
  async get<Name extends RouteName>(path: string): Promise<AnswerOf<Name>> {
    return (await this.#ask('GET', path)) as AnswerOf<Name>
  }

  /** Rejects with `Refusal`, or with a TypeError when the bridge does not answer. */
  async send<Name extends RouteName>(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: string,
  ): Promise<AnswerOf<Name>> {
    return (await this.#ask(method, path, body)) as AnswerOf<Name>
  }

  /** By what this browser is let in. */
  async grant(): Promise<Grant> {
    const response = await fetch(sessionPath)
    return grantIn(await response.json())
  }

  /** Rejects with `Refusal` for a wrong token. */
  async signIn(token: string): Promise<Grant> {
    // A header takes visible ASCII only, and a token has no other characters.
    const authorization = `Bearer ${encodeURI(token.trim())}`
    const response = await fetch(sessionPath, { method: 'POST', headers: { authorization } })
    const body: unknown = await response.json()
    if (!response.ok) throw new Refusal(body as Problem)
    return grantIn(body)
  }

  async signOut(): Promise<void> {
    await fetch(sessionPath, { method: 'DELETE' })
  }

  async #ask(method: string, path: string, body?: string): Promise<unknown> {
    const content = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }
    const response = await fetch(path, { method, ...content })
    const answer: unknown = await response.json()
    if (response.ok) return answer
    if (response.status === 401) this.#onSignedOut()
    throw new Refusal(answer as Problem)
  }
}

function grantIn(body: unknown): Grant {
  return (body as { readonly grant: Grant }).grant
}
