/**
 * Receives the bodies of requests, each bounded, and all of them together.
 *
 * Broadcasts have a reader of their own: a message that is posted runs through as few files as one from NATS.
 */
import type { IncomingMessage } from 'node:http'
import { ProblemError } from '../problems.ts'

/** In bytes: of one body, and of all bodies that are being received at the same time. */
type BodyLimits = { readonly each: number; readonly open: number }
type Body =
  | { readonly text: string }
  /** `cutOff`: the connection ended before the body did. */
  | { readonly fault: 'tooLarge' | 'tooMany' | 'cutOff' }

export class Bodies {
  readonly #limits: BodyLimits
  #open = 0

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** The JSON text of a body. Rejects with `ProblemError`. */
  async text(request: IncomingMessage): Promise<string> {
    if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
      request.resume()
      throw new ProblemError('not-json', 'Send content-type: application/json')
    }
    const body = await this.#read(request)
    if ('text' in body) return body.text
    switch (body.fault) {
      case 'tooLarge':
        throw new ProblemError('body-too-large')
      case 'tooMany':
        throw new ProblemError('too-many-requests', 'Too many bodies are open')
      case 'cutOff':
        // Nobody gets this answer.
        throw new ProblemError('bad-request', 'The connection ended before the body')
    }
  }

  /**
   * Never rejects. Beyond a limit, resolves at once; the rest of the body is received and discarded, so that the client
   * gets the answer.
   */
  #read(request: IncomingMessage): Promise<Body> {
    return new Promise(resolve => {
      const chunks: Buffer[] = []
      let bytes = 0
      let isOver = false
      const end = (body: Body): void => {
        isOver = true
        chunks.length = 0
        this.#open -= bytes
        bytes = 0
        resolve(body)
      }
      if (Number(request.headers['content-length'] ?? 0) > this.#limits.each) end({ fault: 'tooLarge' })
      request.on('data', (chunk: Buffer) => {
        if (isOver) return
        bytes += chunk.length
        this.#open += chunk.length
        chunks.push(chunk)
        if (bytes > this.#limits.each) end({ fault: 'tooLarge' })
        else if (this.#open > this.#limits.open) end({ fault: 'tooMany' })
      })
      request.once('end', () => {
        if (!isOver) end({ text: Buffer.concat(chunks).toString() })
      })
      request.once('close', () => {
        if (!isOver) end({ fault: 'cutOff' })
      })
    })
  }
}
