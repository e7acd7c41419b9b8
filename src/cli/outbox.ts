/**
 * `ocpp-cable outbox`: the transaction messages in `state_dir`, through the admin API of the bridge that runs, or else in
 * the directory.
 */
import { Writable } from 'node:stream'
import { limits } from '../admin/limits.ts'
import type { AnswerOf } from '../admin/routes.ts'
import { askedOf, resolve } from '../config/resolve.ts'
import { AdminClient, type Answer } from './admin/client.ts'
import { connect } from './admin/connect.ts'
import { findBridges } from './admin/local-bridge.ts'
import { exits, UsageError, type Call, type Terminal } from './command.ts'
import type { outbox } from './flags.ts'
import { escaped } from './show/escape.ts'
import { tabbed } from './show/table.ts'
import { readConfigFile } from '../settings.ts'

type Numbers = readonly number[] | 'all'

export async function run({
  words: [verb = '', ...given],
  flags,
  bridgeFlags,
  terminal,
}: Call<typeof outbox>): Promise<number> {
  const numbers = numbersIn(verb, given)
  const client = clientOf({ flags, bridgeFlags, terminal })
  return client instanceof AdminClient
    ? await askBridge(client, verb, numbers, terminal)
    : await readDirectory(client.dir, [verb, ...given], terminal)
}

/** Throws `UsageError`. */
function numbersIn(verb: string, given: readonly string[]): Numbers {
  const isListing = verb === 'list' || verb === 'export'
  const isChange = verb === 'retry' || verb === 'drop'
  if (!isListing && !isChange && verb !== 'show')
    throw new UsageError(`${JSON.stringify(verb)}: expected list, show, export, retry or drop`)
  if (isListing && given.length > 0) throw new UsageError(`${verb} takes no numbers`)
  if (isListing) return 'all'
  if (isChange && given.length === 1 && given[0] === 'all') return 'all'
  const wrong = given.find(word => !/^[1-9]\d{0,14}$/.test(word))
  if (wrong !== undefined) throw new UsageError(`${JSON.stringify(wrong)}: expected the number of a message`)
  if (given.length === 0) throw new UsageError(`${verb} takes numbers of messages${isChange ? ', or all' : ''}`)
  return given.map(Number)
}

/** The bridge that runs, if it has the admin API; otherwise the directory. */
function clientOf({
  flags: { adminUrl, adminToken },
  bridgeFlags: argv,
  terminal,
}: Pick<Call<typeof outbox>, 'flags' | 'bridgeFlags' | 'terminal'>): AdminClient | { readonly dir: string | null } {
  const resolution = resolve({ argv, env: terminal.env, file: readConfigFile(askedOf(argv).file), nodeId: 'outbox' })
  if (!resolution.ok) throw new UsageError(resolution.problems.join('\n'))
  const { dir } = resolution.config.state
  const hasApi = adminUrl !== null || findBridges(terminal.env, dir).running.some(({ url }) => url !== null)
  return hasApi ? connect({ flags: { adminUrl, adminToken, stateDir: dir }, terminal }) : { dir }
}

async function readDirectory(dir: string | null, words: readonly string[], terminal: Terminal): Promise<number> {
  // Only here: SQLite is an optional dependency.
  const { outboxCommand } = await import('../store/cli.ts')
  const out = new Writable({
    decodeStrings: false,
    write: (text: string, _, done) => void terminal.write(text).then(() => done(), done),
  })
  const problem = await outboxCommand(dir, words, out)
  if (problem !== null) terminal.warn(problem)
  return problem === null ? exits.done : exits.failed
}

async function askBridge(client: AdminClient, verb: string, numbers: Numbers, terminal: Terminal): Promise<number> {
  if (verb === 'retry' || verb === 'drop') {
    const body = JSON.stringify(numbers === 'all' ? { all: true } : { numbers })
    const { value } = await client.ask(verb === 'retry' ? 'retryOutbox' : 'dropOutbox', { body })
    await terminal.write(`${value.messages} ${value.messages === 1 ? 'message' : 'messages'} of ${client.url}\n`)
    return exits.done
  }
  if (numbers !== 'all') {
    await printMessages(client, numbers, terminal)
    return exits.done
  }
  for await (const page of pagesOf(client)) {
    const pageNumbers = page.map(({ number }) => number)
    if (verb === 'list') await terminal.write(page.map(listed).join(''))
    else await printMessages(client, pageNumbers, terminal)
  }
  return exits.done
}

async function printMessages(client: AdminClient, numbers: readonly number[], terminal: Terminal): Promise<void> {
  for (const number of numbers) {
    const { text } = await client.ask('getOutboxMessage', { in: String(number) })
    await terminal.write(`${escaped(text.trim())}\n`)
  }
}

async function* pagesOf(client: AdminClient) {
  let after: number | null = null
  do {
    const { value }: Answer<'listOutbox'> = await client.ask('listOutbox', { query: { limit: limits.page, after } })
    yield value.messages
    after = value.next
  } while (after !== null)
}

type Listed = AnswerOf<'listOutbox'>['messages'][number]

function listed({ number, station, version, action, storedAt, attempts, state, error }: Listed): string {
  return `${tabbed([String(number), station, version, action, storedAt, String(attempts), state, error ?? ''])}\n`
}
