/**
 * `ocpp-cable outbox`: the transaction messages in `state_dir`, through the admin API of the bridge that runs, or else
 * in the directory.
 */
import { limits } from '../admin/limits.ts'
import { listedOf, messageText } from '../admin/outbox.ts'
import { problems } from '../admin/problems.ts'
import type { AnswerOf } from '../admin/routes.ts'
import { askedOf, resolve } from '../config/resolve.ts'
import { readConfigFile } from '../settings.ts'
import { StoreError } from '../store/errors.ts'
import { AdminClient, ProblemError, type Answer } from './admin/client.ts'
import { connect } from './admin/connect.ts'
import { findBridges } from './admin/local-bridge.ts'
import { CommandError, exits, UsageError, type Call, type Terminal } from './command.ts'
import type { outbox } from './flags.ts'
import { escaped } from './show/escape.ts'
import { tabbed } from './show/table.ts'

const verbs = ['list', 'show', 'export', 'retry', 'drop'] as const
type Verb = (typeof verbs)[number]
type Numbers = readonly number[] | 'all'

export async function run({
  words: [word = '', ...given],
  flags,
  bridgeFlags,
  terminal,
}: Call<typeof outbox>): Promise<number> {
  const verb = verbIn(word)
  const numbers = numbersIn(verb, given)
  const client = clientOf({ flags, bridgeFlags, terminal })
  if (client instanceof AdminClient) await askBridge(client, verb, numbers, terminal)
  else await readDirectory(client.dir, verb, numbers, terminal)
  return exits.done
}

/** Throws `UsageError`. */
function verbIn(word: string): Verb {
  const verb = verbs.find(each => each === word)
  if (verb !== undefined) return verb
  throw new UsageError(`${JSON.stringify(word)}: expected list, show, export, retry or drop`)
}

/** Throws `UsageError`. */
function numbersIn(verb: Verb, given: readonly string[]): Numbers {
  const isListing = verb === 'list' || verb === 'export'
  const isChange = verb === 'retry' || verb === 'drop'
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

/** Rejects with `CommandError`. */
async function readDirectory(dir: string | null, verb: Verb, numbers: Numbers, terminal: Terminal): Promise<void> {
  if (dir === null) throw new CommandError('state_dir is not set: add --state_dir=DIRECTORY')
  // Only here: SQLite is an optional dependency.
  const { changeOutbox, hasOutbox, readOutbox } = await import('../store/directory.ts')
  if (!hasOutbox(dir)) throw new CommandError(`state_dir ${dir}: no bridge has used it yet`)
  const seqs = numbers === 'all' ? null : numbers
  try {
    if (verb === 'retry' || verb === 'drop') {
      await terminal.write(changedText(changeOutbox(dir, verb, seqs), dir))
      return
    }
    const missing = new Set(seqs)
    for (const row of readOutbox(dir, seqs)) {
      await terminal.write(verb === 'list' ? listed(listedOf(row)) : `${escaped(messageText(row))}\n`)
      missing.delete(row.seq)
    }
    if (missing.size > 0) throw new CommandError(`${problems['unknown-message'].title}: ${[...missing].join(', ')}`)
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    const { message, cause } = error
    throw new CommandError(cause instanceof Error ? `${message}: ${cause.message}` : message, { cause: error })
  }
}

async function askBridge(client: AdminClient, verb: Verb, numbers: Numbers, terminal: Terminal): Promise<void> {
  if (verb === 'retry' || verb === 'drop') {
    const body = JSON.stringify(numbers === 'all' ? { all: true } : { numbers })
    const { value } = await client.ask(verb === 'retry' ? 'retryOutbox' : 'dropOutbox', { body })
    await terminal.write(changedText(value.messages, client.url))
    return
  }
  if (numbers !== 'all') {
    await printMessages(client, numbers, terminal)
    return
  }
  for await (const page of pagesOf(client)) {
    const pageNumbers = page.map(({ number }) => number)
    if (verb === 'list') await terminal.write(page.map(listed).join(''))
    else await printMessages(client, pageNumbers, terminal, isDelivered)
  }
}

function changedText(messages: number, place: string): string {
  return `${messages} ${messages === 1 ? 'message' : 'messages'} of ${place}\n`
}

/** @param mayMiss whether to go on after this error of one message */
async function printMessages(
  client: AdminClient,
  numbers: readonly number[],
  terminal: Terminal,
  mayMiss: (error: unknown) => boolean = () => false,
): Promise<void> {
  for (const number of numbers) {
    try {
      const { text } = await client.ask('getOutboxMessage', { in: String(number) })
      await terminal.write(`${escaped(text.trim())}\n`)
    } catch (error) {
      if (!mayMiss(error)) throw error
    }
  }
}

/** Whether a message that was listed has been delivered, or dropped, since. */
function isDelivered(error: unknown): boolean {
  return error instanceof ProblemError && error.problem === 'unknown-message'
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
