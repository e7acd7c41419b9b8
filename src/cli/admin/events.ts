/**
 * Server-sent events, as the admin API writes them.
 *
 * Pure.
 */

export type ServerEvent = { readonly type: string; readonly data: string }

/** The events in a text that comes in parts; comments are skipped. */
export async function* eventsIn(chunks: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let rest = ''
  for await (const chunk of chunks) {
    rest += chunk
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = eventIn(block)
      if (event !== null) yield event
    }
  }
}

function eventIn(block: string): ServerEvent | null {
  let type = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? []
    if (field === 'event') type = value
    else if (field === 'data') data.push(value)
  }
  return data.length === 0 ? null : { type, data: data.join('\n') }
}
