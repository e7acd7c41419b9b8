/**
 * Asks again and again, while somebody can see the answer.
 */

export interface Poll {
  /** Something happened: asks within a second, however often this is called meanwhile. */
  soon(): void
  /** Somebody waits for the answer: asks at once, or as soon as the request under way ends. */
  now(): void
  close(): void
}

/** From `soon` to its request. */
const leastMs = 1_000

/**
 * Asks at once, and `everyMs` after each answer; not while the page is hidden.
 *
 * @param ask never rejects
 */
export function openPoll(everyMs: number, ask: () => Promise<void>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined
  let state: 'idle' | 'asking' | 'again' | 'atOnce' | 'closed' = 'idle'
  let isSoon = false
  const later = (ms: number): void => {
    clearTimeout(timer)
    isSoon = ms <= leastMs
    timer = setTimeout(() => void turn(), ms)
  }
  const turn = async (): Promise<void> => {
    if (state !== 'idle' || document.hidden) return
    clearTimeout(timer)
    isSoon = false
    state = 'asking'
    await ask()
    const ended = stateNow()
    if (ended === 'closed') return
    state = 'idle'
    later(ended === 'atOnce' ? 0 : ended === 'again' ? leastMs : everyMs)
  }
  // It changes while `ask` runs.
  const stateNow = (): string => state
  const soon = (): void => {
    if (state === 'asking') state = 'again'
    // A pending timer stays: in a large fleet something happens all the time.
    else if (state === 'idle' && !isSoon) later(leastMs)
  }
  const now = (): void => {
    if (state === 'asking' || state === 'again') state = 'atOnce'
    else void turn()
  }
  const onVisible = (): void => void turn()
  document.addEventListener('visibilitychange', onVisible)
  void turn()
  return {
    soon,
    now,
    close: () => {
      state = 'closed'
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisible)
    },
  }
}
