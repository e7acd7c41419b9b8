/**
 * Receives the bodies of requests, each bounded, and all of them together.
 */
import type { IncomingMessage } from 'node:http'
import { ProblemError } from '../problems.ts'
import { limits } from '../limits.ts'

export class Bodies {
  #open = 0

  /** Rejects with `ProblemError`; the rest of such a body is read and discarded, so that the client gets the answer. */
  async read(request: IncomingMessage): Promise<string> {
    if (!isJson(request.headers['content-type']))
      throw discarding(request, new ProblemError('not-json', 'Send content-type: application/json'))
    if (Number(request.headers['content-length'] ?? 0) > limits.bodyBytes)
      throw discarding(request, new ProblemError('body-too-large'))
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length
        this.#open += chunk.length
        if (bytes > limits.bodyBytes) throw new ProblemError('body-too-large')
        if (this.#open > limits.openBodyBytes) throw new ProblemError('too-many-requests', 'Too many bodies are open')
        chunks.push(chunk)
      }
      return Buffer.concat(chunks).toString()
    } finally {
      this.#open -= bytes
    }
  }
}

function isJson(contentType = ''): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType)
}

function discarding(request: IncomingMessage, problem: ProblemError): ProblemError {
  request.resume()
  return problem
}
