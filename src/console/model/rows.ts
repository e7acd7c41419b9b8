/**
 * Which rows of a long list are drawn, and which pages of the admin API they need.
 *
 * Pure: no DOM.
 */

export type Range = { readonly from: number; readonly to: number }

/** Rows drawn above and below those that are seen, so that scrolling shows no gaps. */
const margin = 12

/** `to` is the first row that is not drawn. All in pixels but the result. */
export function drawnRows(scrolled: number, height: number, rowHeight: number, total: number): Range {
  const first = Math.floor(scrolled / rowHeight) - margin
  const last = Math.ceil((scrolled + height) / rowHeight) + margin
  return { from: Math.max(0, Math.min(first, total)), to: Math.max(0, Math.min(last, total)) }
}

/** The numbers of the pages that hold some rows. */
export function pagesOf({ from, to }: Range, pageSize: number): readonly number[] {
  if (to <= from) return [0]
  const first = Math.floor(from / pageSize)
  const last = Math.floor((to - 1) / pageSize)
  return Array.from({ length: last - first + 1 }, (_, at) => first + at)
}
