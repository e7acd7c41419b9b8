/**
 * The route table as an OpenAPI 3.1 document.
 *
 * Pure: no I/O, no Node.
 */
import { everyRoute, problems, problemsOf, type ProblemName } from './problems.ts'
import { routes, type Route } from './routes.ts'
import type { Field } from './shapes.ts'

type Fields = Readonly<Record<string, Field>>

/** @param version of ocpp-cable */
export function openapi(version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, object>> = {}
  for (const [name, route] of Object.entries<Route>(routes))
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(name, route)
  return {
    openapi: '3.1.0',
    info: {
      title: 'ocpp-cable admin API',
      version,
      summary: 'See every Charging Station, call one and get its answer.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    // Without a token, a bridge that listens on a loopback address lets every process of its machine in.
    security: [{ token: [] }, {}],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: problemSchema },
    },
  }
}

const problemSchema = {
  type: 'object',
  description: 'A problem (RFC 9457). Some have more members.',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string', enum: Object.keys(problems).map(name => `/problems/${name}`) },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What is wrong with this request.' },
  },
}

function operation(name: string, route: Route): object {
  const { path, about, query, body, answer, write } = route
  const parameters = Array.from(path.matchAll(/\{(\w+)\}/g), ([, parameter = '']) => pathParameter(parameter))
  return {
    operationId: name,
    summary: about,
    ...(write && { description: 'Needs the full token.' }),
    parameters: [...parameters, ...Object.entries(query).map(queryParameter)],
    ...(body !== null && {
      requestBody: { required: true, content: { 'application/json': { schema: bodySchema(body) } } },
    }),
    responses: { 200: success(answer), ...failures([...everyRoute, ...problemsOf(route)]) },
  }
}

function pathParameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string' } }
}

function queryParameter([name, { schema, required }]: [string, Field]): object {
  const { description, ...rest } = schema
  return { name, in: 'query', required, description, schema: rest }
}

function bodySchema(fields: Fields): object {
  const required = Object.keys(fields).filter(name => fields[name]?.required === true)
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema])),
  }
}

function success(answer: Route['answer']): object {
  if ('json' in answer)
    return {
      description: String(answer.json.schema['description']),
      content: { 'application/json': { schema: answer.json.schema } },
    }
  const events = Object.entries(answer.stream)
  const words = events.map(([event, { schema }]) => `${event}: ${JSON.stringify(schema['description'])}`)
  return {
    description: `Server-sent events: ${words.join(', ')}. The schema is that of their data.`,
    content: { 'text/event-stream': { schema: { anyOf: events.map(([, { schema }]) => schema) } } },
  }
}

/** Problems of one status share a response. */
function failures(names: readonly ProblemName[]): Record<string, object> {
  const byStatus: Record<string, object> = {}
  for (const status of new Set(names.map(name => problems[name].status))) {
    const same = names.filter(name => problems[name].status === status)
    const description = same.map(name => `${problems[name].title} (/problems/${name})`).join('. ')
    const schema = { $ref: '#/components/schemas/Problem' }
    byStatus[status] = { description, content: { 'application/problem+json': { schema } } }
  }
  return byStatus
}
