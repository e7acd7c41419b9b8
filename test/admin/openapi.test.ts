import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { openapi } from '../../src/admin/openapi.ts'
import { routes } from '../../src/admin/routes.ts'

test('the document is valid OpenAPI 3.1, with an operation for each route', async () => {
  const document = openapi('1.2.3')
  const validator = new Validator()
  const { valid, errors } = await validator.validate({ ...document })
  assert.equal(valid, true, JSON.stringify(errors))
  assert.equal(validator.version, '3.1')
  const { paths } = document as { readonly paths: Readonly<Record<string, object>> }
  const operations = Object.values(paths).flatMap(path => Object.values(path) as { readonly operationId: string }[])
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), Object.keys(routes).sort())
})

test('an operation names its problems by status', () => {
  const { paths } = openapi('1.2.3') as { readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>> }
  const { responses } = paths['/v1/stations/{id}/calls']?.['post'] as { readonly responses: object }
  const statuses = ['200', '400', '401', '403', '404', '409', '413', '415', '422', '429', '500', '502', '503', '504']
  assert.deepEqual(Object.keys(responses), statuses)
})
