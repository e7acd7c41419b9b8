/**
 * What a run says: its tables on stdout, all else on stderr.
 */
export function print(text: string): void {
  process.stdout.write(`${text}\n\n`)
}

/** How far the run is, for whoever waits. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function fail(why: string): never {
  process.stderr.write(`${why}\n`)
  process.exit(1)
}
