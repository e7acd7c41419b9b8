/** Why the demo failed; `message` is for the user. */
export class Failure extends Error {
  override readonly name = 'Failure'
}

/** The messages of the error and its causes, outermost first, as one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}: ${reasonOf(error.cause)}`
}

/** Adds a timeout to a promise, so that a broken demo ends instead of hanging. */
export async function within<Value>(seconds: number, promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Failure(`Timed out after ${seconds} s waiting for ${what}`)), seconds * 1000)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
