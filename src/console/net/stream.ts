/**
 * Server-sent events, while somebody can see them. A browser has six connections for one host, so a hidden page has
 * none.
 */

export type StreamState = 'connecting' | 'open' | 'lost'

export type StreamListener = {
  /** @param data of the event, parsed */
  onEvent(type: string, data: unknown): void
  /** `open` also after a break: what came in between is missing. */
  onState(state: StreamState): void
}

export interface Stream {
  close(): void
}

const againMs = 3_000

/** @param types of the events that are wanted */
export function openStream(path: string, types: readonly string[], listener: StreamListener): Stream {
  let source: EventSource | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  const close = (): void => {
    clearTimeout(timer)
    source?.close()
    source = null
  }
  const open = (): void => {
    close()
    if (document.hidden) return
    listener.onState('connecting')
    const opened = new EventSource(path)
    source = opened
    opened.onopen = () => listener.onState('open')
    opened.onerror = () => {
      listener.onState('lost')
      // After an HTTP error the browser does not try again by itself.
      if (opened.readyState === EventSource.CLOSED) timer = setTimeout(open, againMs)
    }
    for (const type of types)
      opened.addEventListener(type, ({ data }: MessageEvent<string>) => listener.onEvent(type, JSON.parse(data)))
  }
  document.addEventListener('visibilitychange', open)
  open()
  return {
    close: () => {
      document.removeEventListener('visibilitychange', open)
      close()
    },
  }
}
