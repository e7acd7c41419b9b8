/** A log that records its lines, with promises for future ones. */
import { EventEmitter, once } from 'node:events'
import type { Log } from '../../src/ops/log.ts'

export type Line = {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export class RecordedLog implements Log {
  readonly lines: Line[] = []
  readonly #written = new EventEmitter()

  debug(fields: object, message: string): void {
    this.#write('debug', fields, message)
  }

  info(fields: object, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: object, message: string): void {
    this.#write('warn', fields, message)
  }

  error(fields: object, message: string): void {
    this.#write('error', fields, message)
  }

  child(): Log {
    return this
  }

  /** All lines of a level whose message or error contains a text. */
  found(level: string, text: string): Line[] {
    return this.lines.filter(line => line.level === level && `${line.message} ${errorOf(line)}`.includes(text))
  }

  /** Resolves when the log has this many such lines in all. */
  async waitFor(level: string, text: string, times = 1): Promise<Line> {
    while (this.found(level, text).length < times) await once(this.#written, 'line')
    return this.found(level, text).at(-1) as Line
  }

  #write(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: { ...fields } })
    this.#written.emit('line')
  }
}

function errorOf({ fields }: Line): string {
  return fields['error'] instanceof Error ? fields['error'].message : ''
}
