/** Why the demo could not tell its story: `message` is for the person who ran it. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/** The reasons, outermost first, as one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}

/** Waits, but not for ever: nothing in the demo takes longer than a moment unless something is broken. */
export async function within<Value>(seconds: number, promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Failure(`Waited ${seconds} s in vain for ${what}`)), seconds * 1000)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
