/**
 * A probe of the check: what it found, in one line.
 */

/** `skip`: there is nothing to check, or no way to. */
export type Status = 'ok' | 'warn' | 'fail' | 'skip'

export type Finding = {
  readonly status: Status
  /** What was found. */
  readonly found: string
  /** What to do; `null` where nothing is to be done. */
  readonly fix: string | null
}

export type Line = Finding & { readonly subject: string }

export function ok(found: string): Finding {
  return { status: 'ok', found, fix: null }
}

export function skip(found: string): Finding {
  return { status: 'skip', found, fix: null }
}

export function warn(found: string, fix: string): Finding {
  return { status: 'warn', found, fix }
}

export function fail(found: string, fix: string): Finding {
  return { status: 'fail', found, fix }
}

/** How long one probe may take. */
export const probeMs = 5_000

/** Runs a probe. One that hangs or throws is a finding too. */
export async function probed(
  subject: string,
  probe: () => Finding | Promise<Finding>,
  withinMs = probeMs,
): Promise<Line> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>(resolve => {
    timer = setTimeout(
      () => resolve(fail(`no result within ${withinMs / 1000} s`, 'look at the network and the disk')),
      withinMs,
    )
  })
  try {
    return { subject, ...(await Promise.race([probe(), late])) }
  } catch (error) {
    return { subject, ...fail(textOf(error), 'correct it, and check again') }
  } finally {
    clearTimeout(timer)
  }
}

/** The messages of an error and of its causes, each once. */
export function textOf(error: unknown): string {
  const texts: string[] = []
  for (let each = error; each !== undefined; each = each instanceof Error ? each.cause : undefined) {
    const text = ownText(each)
    if (texts.at(-1)?.endsWith(text) !== true) texts.push(text)
  }
  return texts.join(': ')
}

function ownText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(ownText).join(', ')
  return error.message === '' ? error.name : error.message
}
