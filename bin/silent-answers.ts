/**
 * Generates the table of silent answers in docs/protocol.md by computing each answer.
 *
 * Pure: takes the text of the page and returns the new text.
 */
import { bootAnswer } from '../src/ocpp/answers.ts'
import type { MessageId } from '../src/ocpp/frame.ts'
import type { JsonText } from '../src/ocpp/json.ts'
import { versions, type Version } from '../src/ocpp/version.ts'
import { answerFor, choiceFor, type SilentMode } from '../src/translate/answers.ts'

/** Sample requests for actions whose answer depends on the request, by the condition shown in the table. */
const samples: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Authorize: { '': '{}', 'that asks about certificates': '{"certificate":"PEM"}' },
  TransactionEvent: {
    'without an idToken': '{}',
    'with an idToken of type `NoAuthorization`': '{"idToken":{"type":"NoAuthorization"}}',
    'with another idToken': '{"idToken":{"type":"Central"}}',
  },
  VatNumberValidation: { '': '{"vatNumber":"as asked","evseId":1}' },
}

const begin = '<!-- silent answers: made by npm run docs -->'
const end = '<!-- end -->'

/** One line of the table, for all actions that share it. */
type Line = {
  readonly actions: readonly string[]
  readonly when: string
  readonly versions: readonly string[]
  /** As shown, for safe, anycable and off. */
  readonly answers: readonly string[]
  readonly why: string
}

/** The page with its table replaced. */
export function withSilentAnswers(page: string): string {
  const from = page.indexOf(begin)
  const to = page.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`docs/protocol.md lacks ${begin} or ${end}`)
  return `${page.slice(0, from)}${begin}\n\n${silentAnswersTable()}\n\n${page.slice(to)}`
}

function silentAnswersTable(): string {
  const perVersion = Object.keys(versions).flatMap(version => linesOf(version as Version))
  const perAction = merged(perVersion, ['actions', 'when', 'answers', 'why'])
  const lines = merged(perAction, ['versions', 'when', 'answers', 'why'])
  return [
    '| action | versions | safe | anycable | off | why |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines.map(({ actions, when, versions, answers, why }, at) => {
      const [safe = '', ...others] = answers
      const action = `${actions.join(', ')} ${when}`.trim()
      const cells = [safe, ...others.map(answer => (answer === safe ? 'as safe' : answer))]
      return `| ${[action, versions.join(', '), ...cells, lines[at - 1]?.why === why ? '' : why].join(' | ')} |`
    }),
  ].join('\n')
}

/** The lines of a version: one per action, and one per sample with an answer of its own. */
function linesOf(version: Version): Line[] {
  const { number, silentAnswers } = versions[version]
  return Object.entries(silentAnswers).flatMap(([action, { why }]) => {
    const lines = Object.entries(samples[action] ?? { '': '{}' }).map(([when, payload]) => ({
      actions: [action],
      when,
      versions: [number],
      answers: (['safe', 'anycable', 'off'] as const).map(mode => shown(version, action, payload, mode)),
      why,
    }))
    return lines.filter((line, at) => lines.findIndex(other => String(other.answers) === String(line.answers)) === at)
  })
}

function shown(version: Version, action: string, payload: string, silentAck: SilentMode): string {
  const asked = { payload: payload as JsonText, now: 'now', heartbeatIntervalSeconds: 300, transactionId: 1 }
  const call = { kind: 'call', id: '"1"' as MessageId, action, payload: asked.payload } as const
  const choice = choiceFor(action, version, { silentAck, silentAnswers: {} })
  const { answer } = answerFor('silent', call, choice, asked, 0)
  if (answer.kind === 'callError') return `CALLERROR \`${answer.code}\``
  return `\`${answer.kind === 'putOff' ? bootAnswer('Pending', 30, asked) : answer.payload}\``
}

/** Merges lines that agree in all named columns; a merged line has the actions and versions of all. */
function merged(lines: readonly Line[], agreeing: readonly (keyof Line)[]): Line[] {
  const byKey = new Map<string, Line>()
  for (const line of lines) {
    const key = JSON.stringify(agreeing.map(name => line[name]))
    const other = byKey.get(key)
    const both = (name: 'actions' | 'versions'): string[] => [...new Set([...(other?.[name] ?? []), ...line[name]])]
    byKey.set(key, { ...line, actions: both('actions'), versions: both('versions') })
  }
  return [...byKey.values()]
}
