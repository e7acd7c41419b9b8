/** docs/admin-api.md: its routes, fields and problems are those of the tables in `src/admin`. */
import { everyRoute, problems, problemsOf } from '../src/admin/problems.ts'
import { routes, type Route } from '../src/admin/routes.ts'
import type { Field, JsonSchema, Shape } from '../src/admin/shapes.ts'

const introduction = `# The admin API

<!-- The routes and problems are made from the tables in src/admin by \`npm run docs\`; the text is in bin/admin-page.ts. -->

JSON over HTTP, for operators and scripts: see every station, call one and get its answer, watch frames. It is off unless \`admin_port\` is set.

\`\`\`sh
ocpp-cable --admin_port=8091
curl 'http://127.0.0.1:8091/v1/stations?state=connected&silentFor=600'
curl http://127.0.0.1:8091/v1/stations/CP1
curl http://127.0.0.1:8091/v1/stations/CP1/calls -H 'content-type: application/json' -d '{"action":"Reset","payload":{"type":"Soft"}}'
curl -N 'http://127.0.0.1:8091/v1/messages?station=CP1'
\`\`\`

The whole API as OpenAPI 3.1: \`GET /openapi.json\`.

## Who may use it

- It listens on 127.0.0.1. Without a token, every process of this machine may use it; a web page of another host may not.
- \`admin_token\` is a bearer token (\`Authorization: Bearer …\`). Any other \`admin_host\` needs it. The API has no TLS: put a proxy in front of it.
- \`admin_read_token\` is for everything that changes nothing.
- The [console](how-to/console.md), \`GET /\`, is for people. A browser sends a token once (\`POST /console/session\`) and then has a cookie: signed, \`HttpOnly\`, \`SameSite=Strict\`, valid for 12 hours.
- Each change is one line in the log: \`an operator changed something\`, or \`a change asked for by an operator failed\`, with \`operation\`, \`by\`, \`remoteAddress\`, and \`given\`: the parameters and the body, without a payload.

Frames are redacted as in the log. No answer has a password, an Authorization header or the query of a station's URL.

## Commands

\`POST /v1/stations/{id}/calls\` sends a command like one of the app: it is checked, waits for its turn, and counts in \`ocpp_command_total\`. The answer
is 200 with the CALLRESULT, or a problem with \`code\` and \`description\`:

| status | \`type\` | what happened |
| --- | --- | --- |
| 404 | \`/problems/unknown-station\` | the bridge has never seen it, or has forgotten it |
| 409 | \`/problems/not-connected\`, \`/problems/not-accepted\` | it is away, or the app has not accepted it |
| 422 | \`/problems/unknown-action\`, \`/problems/invalid-payload\` | nothing was sent; \`detail\` names the path in the payload |
| 429 | \`/problems/queue-full\` | \`ocpp_call_queue\` commands wait |
| 502 | \`/problems/call-error\` | the station answered with a CALLERROR; \`details\` has its errorDetails |
| 502 | \`/problems/invalid-result\`, \`/problems/connection-closed\` | its answer is invalid, or its connection ended |
| 504 | \`/problems/not-sent\` | an earlier command was still open when \`timeout\` had passed; the station never gets this one |
| 504 | \`/problems/call-timeout\` | no answer within \`timeout\`; the station may still carry the command out |

The app gets the \`ack\` or \`error\` too, with \`"origin": "admin"\`, unless \`notify\` is false. A command goes on when the HTTP client goes away.

## Streams

\`GET /v1/messages\` and \`GET /v1/events\` are server-sent events. A comment comes every 15 s. A client that reads too slowly loses events, and gets
\`event: lost\` with their \`count\`.

## What a restart forgets

Kept frames, the errors of past connections, and stations that were only ever refused are in memory. So are disconnected stations, unless \`state_dir\`
is set. With it, the next process lists them with the time and the reason they left, and their last refusal. A station that was connected when the bridge was
killed is disconnected, too: \`leftBecause\` is \`The bridge ended without a shutdown\`, and \`leftAt\` is when the bridge was last known to run, to the minute.
`

export function adminPage(): string {
  const every = everyRoute.map(name => `\`${name}\``).join(', ')
  return [
    introduction,
    '## Routes',
    '',
    ...Object.values<Route>(routes).flatMap(routeEntry),
    '## Problems',
    '',
    `A problem is \`application/problem+json\` (RFC 9457); its \`type\` is \`/problems/\` and the name here. Every route may answer with ${every}.`,
    '',
    '| name | status | title |',
    '| --- | --- | --- |',
    ...Object.entries(problems).map(([name, { status, title }]) => `| \`${name}\` | ${status} | ${title} |`),
    '',
  ].join('\n')
}

function routeEntry(route: Route): string[] {
  const { method, path, about, write, query, body, answer } = route
  const own = problemsOf(route)
  const fields = [
    ...Object.entries(query).map(fieldEntry('query')),
    ...Object.entries(body ?? {}).map(fieldEntry('body')),
  ]
  const table = ['| name | in | what |', '| --- | --- | --- |', ...fields, '']
  const shapes = 'json' in answer ? [['', answer.json] as const] : Object.entries(answer.stream)
  return [
    `### \`${method} ${path}\``,
    '',
    about + (write ? ' Needs the full token.' : ''),
    '',
    ...(fields.length > 0 ? table : []),
    ...shapes.flatMap(([event, shape]) => answerEntry(event, shape)),
    ...(own.length > 0 ? [`Problems: ${own.map(name => `\`${name}\``).join(', ')}.`, ''] : []),
  ]
}

function fieldEntry(place: string) {
  return ([name, { schema, required }]: [string, Field]): string => {
    const words = [String(schema['description']), ...limitsOf(schema)].join(' ')
    return `| \`${name}\`${required ? ', required' : ''} | ${place} | ${words} |`
  }
}

function limitsOf(schema: JsonSchema): string[] {
  const { minimum, maximum, default: usual } = schema as Readonly<Record<string, number | string | boolean | undefined>>
  const words = schema['enum'] as readonly string[] | undefined
  return [
    ...(words === undefined ? [] : [`One of ${words.map(word => `\`${word}\``).join(', ')}.`]),
    ...(minimum === undefined || maximum === undefined ? [] : [`From ${minimum} to ${maximum}.`]),
    ...(usual === undefined ? [] : [`Default: \`${usual}\`.`]),
  ]
}

function answerEntry(event: string, { schema }: Shape<unknown>): string[] {
  const properties = schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined
  const head = event === '' ? 'Answers' : `Event \`${event}\`:`
  if (properties === undefined) return []
  const members = Object.entries(properties).map(([name, member]) => `- \`${name}\`: ${lowerFirst(describe(member))}`)
  return [
    `${head} ${event === '' ? 'with ' : ''}${lowerFirst(describe(schema)).replace(/\.$/, '')}:`,
    '',
    ...members,
    '',
  ]
}

function describe({ description }: JsonSchema): string {
  return typeof description === 'string' ? description : ''
}

/** A word in capitals, such as CALLRESULT, stays. */
function lowerFirst(text: string): string {
  return /^[A-Z][a-z' ]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}
