/**
 * The demo's output. On a terminal, each line is followed by its frame, dimmed; otherwise, a shortened frame is appended
 * to the line, so that every message is one line.
 */
import { setTimeout as sleep } from 'node:timers/promises'

const shortLength = 70
const dim = ['\u001b[2m', '\u001b[22m'] as const
const bold = ['\u001b[1m', '\u001b[22m'] as const

type PageSettings = {
  readonly isTerminal: boolean
  readonly hasColour: boolean
  /** The pause after each line, so that people can read along. */
  readonly paceMs: number
  /** Ends the page: pending and later writes are rejected. */
  readonly signal: AbortSignal
}

export class Page {
  readonly #settings: PageSettings
  /** Serializes lines, which come from the story and, with --keep, from concurrent events. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(settings: PageSettings) {
    this.#settings = settings
  }

  heading(text: string): Promise<void> {
    return this.#inTurn(() => this.#write(`\n${this.#painted(bold, text)}\n`))
  }

  text(text: string): Promise<void> {
    return this.#inTurn(() => this.#write(`${text}\n`))
  }

  /** A fact, without a pause. */
  row(name: string, value: string): Promise<void> {
    return this.text(`${labelled(name)} ${value}`)
  }

  /**
   * One event.
   *
   * @param who    the speaker, or `speaker -> listener`
   * @param frame  the frame on the wire
   */
  line(who: string, what: string, frame?: string): Promise<void> {
    return this.#inTurn(async () => {
      const { isTerminal, paceMs, signal } = this.#settings
      const label = labelled(who)
      if (frame === undefined) this.#write(`${label} ${what}\n`)
      else if (isTerminal)
        this.#write(`${label} ${what}\n${' '.repeat(label.length + 1)}${this.#painted(dim, frame)}\n`)
      else this.#write(`${label} ${what}  ${short(frame)}\n`)
      if (paceMs > 0) await sleep(paceMs, undefined, { signal })
    })
  }

  #inTurn(write: () => void | Promise<void>): Promise<void> {
    const written = this.#turn.then(write)
    this.#turn = written.catch(() => undefined)
    return written
  }

  #write(text: string): void {
    this.#settings.signal.throwIfAborted()
    process.stdout.write(text)
  }

  #painted([on, off]: readonly [string, string], text: string): string {
    return this.#settings.hasColour ? `${on}${text}${off}` : text
  }
}

function labelled(who: string): string {
  return `  ${who.padEnd(18)}`
}

function short(frame: string): string {
  return frame.length > shortLength ? `${frame.slice(0, shortLength - 3)}...` : frame
}
