/**
 * Rows of the route table that the console needs.
 *
 * Pure: no I/O, no Node.
 */
import type { Route } from '../route.ts'
import * as answers from './answers.ts'

const none = {} as const

export const consoleRoutes = {
  listWarnings: {
    method: 'GET',
    path: '/v1/warnings',
    about: 'Lists what the log warned about lately.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.warnings },
    problems: [],
  },
  getSeries: {
    method: 'GET',
    path: '/v1/series',
    about: 'Shows rates and queues of the last ten minutes.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.series },
    problems: [],
  },
  listActions: {
    method: 'GET',
    path: '/v1/schemas/{version}',
    about: 'Lists the actions of a version of OCPP: 1.6, 2.0.1 or 2.1.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.actionNames },
    problems: ['unknown-schema'],
  },
  getSchemas: {
    method: 'GET',
    path: '/v1/schemas/{version}/{action}',
    about: 'Shows the official schemas of an action.',
    write: false,
    query: none,
    body: null,
    answer: { json: answers.actionSchemas },
    problems: ['unknown-schema'],
  },
} as const satisfies Readonly<Record<string, Route>>
