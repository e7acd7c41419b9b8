/**
 * Closes what a test has opened. Registered before anything is opened, so that nothing stays open when the next part
 * fails to open: a test file would hang until its timeout.
 */
type Part = { close(): unknown } | { stop(): unknown }

export type Keep = <Kept extends Part>(part: Kept) => Kept

/** @param after  registers what runs at the end: `after` of a file or suite, or that of a test's context */
export function keepUntil(after: (close: () => Promise<void>) => void): Keep {
  const parts: Part[] = []
  after(() => closeAll(parts))
  return part => (parts.push(part), part)
}

/** Closes the last part first. All are closed, even when one of them fails to close. */
async function closeAll(parts: Part[]): Promise<void> {
  const part = parts.pop()
  if (part === undefined) return
  try {
    await ('close' in part ? part.close() : part.stop())
  } finally {
    await closeAll(parts)
  }
}
