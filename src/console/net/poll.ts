/**
 * Asks again and again, while somebody can see the answer.
 */

export interface Poll {
  /** Asks at once. */
  soon(): void
  close(): void
}

/** Between two requests, however much happens. */
const leastMs = 250

/**
 * Asks at once, and `everyMs` after each answer; not while the page is hidden.
 *
 * @param ask never rejects
 */
export function openPoll(everyMs: number, ask: () => Promise<void>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined
  let state: 'idle' | 'asking' | 'again' | 'closed' = 'idle'
  const later = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void turn(), ms)
  }
  const turn = async (): Promise<void> => {
    if (state !== 'idle' || document.hidden) return
    clearTimeout(timer)
    state = 'asking'
    await ask()
    const isAgain = stateNow() === 'again'
    if (stateNow() === 'closed') return
    state = 'idle'
    later(isAgain ? leastMs : everyMs)
  }
  // It changes while `ask` runs.
  const stateNow = (): string => state
  const soon = (): void => {
    if (state === 'asking') state = 'again'
    else if (state === 'idle') later(leastMs)
  }
  const onVisible = (): void => void turn()
  document.addEventListener('visibilitychange', onVisible)
  void turn()
  return {
    soon,
    close: () => {
      state = 'closed'
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', onVisible)
    },
  }
}
