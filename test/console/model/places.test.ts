import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeOf, queryOf, stationLink, stationsLink, type Filter } from '../../../src/console/model/places.ts'

const all: Filter = { search: '', state: '', version: '', sort: 'id' }

for (const id of ['CP1', 'a/b', 'ä?#%', '..', '<script>', '%2F']) {
  test(`the link of the station ${id} leads to it`, () => {
    assert.deepEqual(placeOf(stationLink(id)), { page: 'station', id })
  })
}

test('a filter is kept in the address, and only what was chosen', () => {
  const filter = { ...all, search: 'CP 1&', state: 'refused', sort: '-errors' }
  assert.equal(stationsLink(filter), '#/stations?search=CP+1%26&state=refused&sort=-errors')
  assert.deepEqual(placeOf(stationsLink(filter)), { page: 'stations', filter })
  assert.equal(stationsLink(all), '#/stations')
})

test('an unknown address is the overview, and broken percent-encoding stays text', () => {
  assert.deepEqual(['', '#/', '#/other'].map(placeOf), Array(3).fill({ page: 'overview' }))
  assert.deepEqual(placeOf('#/stations/%zz'), { page: 'station', id: '%zz' })
})

const queries = [
  [{ search: 'CP1' }, 'sort=id&id=*CP1*', 'a part of an identity'],
  [{ search: 'CP?' }, 'sort=id&id=CP%3F', 'a pattern stays as it is'],
  [{ search: '  ' }, 'sort=id', 'spaces search for nothing'],
  [{ state: 'connected', version: '2.1', sort: '-errors' }, 'sort=-errors&state=connected&version=2.1', 'the rest'],
] as const
for (const [filter, expected, because] of queries) {
  test(`the filter ${JSON.stringify(filter)} asks for ${expected}: ${because}`, () => {
    assert.equal(queryOf({ ...all, ...filter }), expected)
  })
}
