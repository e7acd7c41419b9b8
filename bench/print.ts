/**
 * The output of a run: tables on stdout, everything else on stderr.
 */
export function print(text: string): void {
  process.stdout.write(`${text}\n\n`)
}

/** Prints the progress of the run. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`)
}

export function fail(why: string): never {
  process.stderr.write(`${why}\n`)
  process.exit(1)
}
