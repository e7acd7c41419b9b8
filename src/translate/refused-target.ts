/**
 * What may be shown of the target of a refused request. Stations are configured with a key in their URL, at the right
 * place or at a wrong one.
 *
 * Pure. An identity of 1.6 may have any printable character, so behind the stations' prefix it is shown as it is.
 */
import type { StationId } from './handshake.ts'
import { decodeSegment, segmentsOf } from './url.ts'

const MASK = '***'

/** In characters, as long as an identity may be. */
const maxLikely = 255

/** Scheme and slashes, authority, and path; the first two are empty for a path with one slash in front. */
const PARTS = /^((?:[^/]*:)?\/\/|)([^/]*)(.*)$/s

/** What a parameter begins with, and where its value does: `;key=`, `%3Fkey%3D`. */
const PARAMETER = /[;?&]|%3b|%3f|%26/i
const VALUE = /=|%3d/i

/**
 * The path, or as much of the target as was sent: without query, user information, and what follows the identity.
 *
 * @param prefix of the stations' paths
 */
export function shownTarget(target: string, prefix: string): string {
  const { head, path } = split(target)
  const before = segmentsBefore(path, prefix)
  let at = 0
  const shown = (segment: string): string =>
    before === null ? withoutParameters(segment, MASK) : at++ > before ? MASK : segment
  return head + path.replace(/[^/]+/g, shown)
}

/**
 * The identity that the request most likely meant: the segment behind the prefix, or the last one of another path;
 * `null` without one.
 */
export function likelyIdentity(target: string, prefix: string): StationId | null {
  const { path } = split(target)
  const segments = segmentsOf(path)
  const before = segmentsBefore(path, prefix)
  const segment = before === null ? withoutParameters(segments.at(-1) ?? '', '') : (segments[before] ?? '')
  const identity = decodeSegment(segment)
  return identity === null || identity === '' ? null : (identity.slice(0, maxLikely) as StationId)
}

/** How many segments of a path come before the identity; `null` for a path without the prefix. */
function segmentsBefore(path: string, prefix: string): number | null {
  const segments = segmentsOf(path)
  const expected = segmentsOf(prefix)
  return expected.every((segment, at) => segments[at] === segment) ? expected.length : null
}

function withoutParameters(segment: string, mask: string): string {
  const at = segment.search(PARAMETER)
  return at === -1 || !VALUE.test(segment.slice(at)) ? segment : segment.slice(0, at) + mask
}

/**
 * A password may have an `@`, a slash or a question mark in it: user information ends at the last `@`. An `@` without
 * an authority in front belongs to the path.
 */
function split(target: string): { readonly head: string; readonly path: string } {
  const text = target.replace(/[?#].*/s, '')
  const [, start = '', authority = '', path = ''] = PARTS.exec(text) ?? []
  if (!/[:@]/.test(authority) || !target.includes('@'))
    return start === '//' ? { head: '', path: text } : { head: start + authority, path }
  const at = text.lastIndexOf('@')
  if (at === -1) return { head: start + MASK, path: '' }
  const [, host = '', rest = ''] = /^([^/]*)(.*)$/s.exec(text.slice(at)) ?? []
  return { head: start + MASK + host, path: rest }
}
