import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as answers from '../../src/admin/answers.ts'

test('every answer is an object whose members have a description each', () => {
  for (const [name, shape] of Object.entries(answers)) {
    if (!('schema' in shape)) continue
    const { properties = {}, description } = shape.schema as {
      properties?: Record<string, object>
      description: string
    }
    assert.notEqual(description, '', name)
    for (const [member, schema] of Object.entries(properties))
      assert.match(String((schema as { description?: string }).description), /\.$/, `${name}.${member}`)
  }
})
