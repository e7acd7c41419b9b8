/**
 * Suggestions for misspelled names.
 *
 * Pure.
 */

/** Suggests the nearest known name, at most two edits away (fewer for a short name); empty if there is none. */
export function didYouMean(given: string, known: readonly string[], dashes = ''): string {
  const [nearest] = known
    .map(name => ({ name, apart: distance(alike(given), alike(name)) }))
    .filter(({ name, apart }) => apart <= Math.min(2, name.length / 2))
    .sort((one, other) => one.apart - other.apart)
  return nearest === undefined ? '' : `; did you mean ${dashes}${nearest.name}?`
}

function alike(name: string): string {
  return name.toLowerCase().replaceAll('-', '_')
}

/** The Levenshtein distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let at = 0; at < one.length; at++) {
    row = row.reduce<number[]>((next, above, column) => {
      const left = next.at(-1)
      const diagonal = (row[column - 1] ?? 0) + (other[column - 1] === one[at] ? 0 : 1)
      return [...next, left === undefined ? at + 1 : Math.min(above + 1, left + 1, diagonal)]
    }, [])
  }
  return row.at(-1) ?? 0
}
