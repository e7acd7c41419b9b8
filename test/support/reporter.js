/**
 * TAP, with the failed tests listed once more above the totals: people read the end of a long log first.
 *
 * JavaScript, because node loads a reporter without tsx.
 */
import path from 'node:path'
import { tap } from 'node:test/reporters'

const maxReasonLines = 20
const maxListed = 50

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
export default async function* report(events) {
  const failures = []
  async function* noting() {
    for await (const event of events) {
      // A parent fails with its subtests, which are listed themselves.
      if (event.type === 'test:fail' && event.data.details.error.failureType !== 'subtestsFailed')
        failures.push(failureOf(event.data))
      yield event
    }
  }
  for await (const text of tap(noting())) {
    if (text.startsWith('# tests ')) yield* failures.slice(0, maxListed)
    yield text
  }
}

function failureOf({ name, file = '', line = 0, details: { error } }) {
  const reason = String(error.cause?.stack ?? error.cause ?? error.message)
    .split('\n')
    .slice(0, maxReasonLines)
  return [`failed: ${path.relative('.', file)}:${line} ${name}`, ...reason].map(text => `# ${text}\n`).join('')
}
