import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Relation } from '../../src/fleet/relation.ts'

type Member = { readonly name: string }

const a: Member = { name: 'a' }
const b: Member = { name: 'b' }

/** Members by key: `x` has a and b, `y` has a. */
function newRelation(): Relation<string, Member> {
  const relation = new Relation<string, Member>()
  relation.add('x', a)
  relation.add('x', b)
  relation.add('y', a)
  return relation
}

/** A relation as text, read from both sides. */
function shown(relation: Relation<string, Member>): string {
  const names = (key: string) => [...relation.get(key)].map(({ name }) => name).join('')
  const counts = [a, b].map(member => relation.countOf(member))
  const members = [...relation.members()].map(({ name }) => name).join('')
  return `x=${names('x')} y=${names('y')} keys=${relation.size} counts=${counts.join()} members=${members}`
}

const full = 'x=ab y=a keys=2 counts=2,1 members=ab'
const changes: readonly (readonly [change: (of: Relation<string, Member>) => void, expected: string, title: string])[] =
  [
    [() => undefined, full, 'add relates a key and a member, from both sides'],
    [of => of.add('x', a), full, 'add does nothing when the pair is there already'],
    [of => of.delete('x', a), 'x=b y=a keys=2 counts=1,1 members=ab', 'delete removes one pair'],
    [of => of.delete('y', a), 'x=ab y= keys=1 counts=1,1 members=ab', 'delete removes a key with its last member'],
    [of => of.delete('x', b), 'x=a y=a keys=2 counts=2,0 members=a', 'delete removes a member with its last key'],
    [of => of.delete('y', b), full, 'delete does nothing when there is no such pair'],
    [of => of.delete('z', a), full, 'delete does nothing when there is no such key'],
    [of => of.deleteAll(a), 'x=b y= keys=1 counts=0,1 members=b', 'deleteAll removes a member from all its keys'],
    [of => of.deleteAll({ name: 'c' }), full, 'deleteAll does nothing when the member has no keys'],
    [
      of => {
        of.deleteAll(a)
        of.add('y', a)
      },
      'x=b y=a keys=2 counts=1,1 members=ba',
      'a member can be added again when it was removed',
    ],
  ]
for (const [change, expected, title] of changes) {
  test(title, () => {
    const relation = newRelation()
    change(relation)
    assert.equal(shown(relation), expected)
  })
}

test('a relation is empty when each member was removed', () => {
  const relation = newRelation()
  for (const member of [a, b]) relation.deleteAll(member)
  assert.equal(shown(relation), 'x= y= keys=0 counts=0,0 members=')
})
