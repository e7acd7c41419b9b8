/**
 * Places in the console, as links: `#/`, `#/stations?search=CP`, `#/stations/CP1`.
 *
 * Pure: no DOM.
 */

/** What the list of stations shows. Empty texts stand for all. */
export type Filter = {
  readonly search: string
  readonly state: string
  readonly version: string
  readonly sort: string
}

export type Place =
  | { readonly page: 'overview' }
  | { readonly page: 'stations'; readonly filter: Filter }
  | { readonly page: 'station'; readonly id: string }

const noFilter: Filter = { search: '', state: '', version: '', sort: 'id' }

/** @param hash of the address, with or without its `#` */
export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  const [, page, id] = path.split('/')
  if (page !== 'stations') return { page: 'overview' }
  if (id !== undefined && id !== '') return { page: 'station', id: decodedOrSame(id) }
  const given = new URLSearchParams(query)
  const text = (name: keyof Filter) => given.get(name) ?? noFilter[name]
  const filter = { search: text('search'), state: text('state'), version: text('version'), sort: text('sort') }
  return { page: 'stations', filter }
}

export function stationLink(id: string): string {
  return `#/stations/${encodeURIComponent(id)}`
}

export function stationsLink(filter: Partial<Filter>): string {
  const given = Object.entries({ ...noFilter, ...filter }).filter(
    ([name, value]) => value !== noFilter[name as keyof Filter],
  )
  const query = new URLSearchParams(given).toString()
  return query === '' ? '#/stations' : `#/stations?${query}`
}

/** The query of `GET /v1/stations`. A search without a wildcard finds identities that contain it. */
export function queryOf({ search, state, version, sort }: Filter): string {
  const text = search.trim()
  const query = new URLSearchParams({ sort })
  if (text !== '') query.set('id', /[*?]/.test(text) ? text : `*${text}*`)
  if (state !== '') query.set('state', state)
  if (version !== '') query.set('version', version)
  return query.toString()
}

/** The text itself where it is not encoded as in a URL. */
function decodedOrSame(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
