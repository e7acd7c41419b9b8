/**
 * What is sent under which number: a function of the seed and the number alone, so that one can be sent again.
 */
import type { Version } from '../../src/ocpp/version.ts'
import type { Message } from './expected.ts'
import { frameOf, mutated, type Elements } from './mutations.ts'
import { answerFor, commandsOf, requestFor, sendAction, stationActionsOf, versions } from './payloads.ts'
import { Random } from './random.ts'

/** A remote command that the app gives first, for the message is an answer to it. */
export type Command = {
  readonly id: string
  readonly action: string
  readonly payload: string
  /** A right answer, sent after the other one in case that one settled nothing. */
  readonly answer: string
}

export type Step =
  | { readonly kind: 'message'; readonly message: Message; readonly command: Command | null }
  /** Bytes below WebSocket's messages, on a connection of their own: a row of `wire.ts`. */
  | { readonly kind: 'wire'; readonly random: Random }

/** How many messages a station sends one after another without waiting for an answer. */
export const batchSize = 40

export function versionOf(index: number): Version {
  return versions[(Math.floor(index / batchSize) % 3) as 0 | 1 | 2]
}

/** One batch in fifty is of bad messages only: the station is answered and stays. */
const isStorm = (index: number): boolean => Math.floor(index / batchSize) % 50 === 49

export function stepFor(seed: number, index: number, maxMessageSize: number): Step {
  const random = new Random(seed, index)
  const version = versionOf(index)
  const text = (bytes: Buffer, binary = random.chance(0.05)): Step => ({
    kind: 'message',
    message: { bytes, binary },
    command: null,
  })
  if (isStorm(index)) return text(mutated(['2', 'null', '"A"', '{}'], '', random))
  const kind = random.next()
  if (kind < 0.01) return { kind: 'wire', random }
  if (kind < 0.02) return text(Buffer.from(huge(index, maxMessageSize, random)))
  if (kind < 0.06) return commandStep(index, version, random)
  if (kind < 0.15) return text(Buffer.from(frameOf(callFor(index, version, random))), false)
  const elements = kind < 0.82 ? callFor(index, version, random) : answerTo(index, version, random)
  return text(mutated(elements, frameOf(callFor(index, version, random, 'o')), random))
}

function callFor(index: number, version: Version, random: Random, prefix = 'f'): Elements {
  const id = JSON.stringify(`${prefix}${index}`)
  if (version === 'ocpp2.1' && random.chance(0.05))
    return ['6', id, JSON.stringify(sendAction), requestFor(version, sendAction, random)]
  const action = random.chance(0.1) ? 'BootNotification' : random.pick(stationActionsOf(version))
  return ['2', id, JSON.stringify(action), requestFor(version, action, random)]
}

/** Frames that must not be answered, or hardly ever. */
function answerTo(index: number, version: Version, random: Random): Elements {
  const id = JSON.stringify(`f${index}`)
  const action = random.pick(commandsOf(version))
  const error = [id, random.pick(['"GenericError"', '"FormationViolation"', '"Whatever"']), '"why"', '{"a":1}']
  return random.pick([
    ['3', id, answerFor(version, action, random)],
    ['4', ...error],
    ['4', '"-1"', ...error.slice(1)],
    ['5', ...error],
    ['6', id, JSON.stringify(sendAction), '{"id":1,"pending":0,"basetime":"2026-01-02T03:04:05Z","data":[]}'],
    ['6', id, '"Heartbeat"', '{}'],
  ])
}

function commandStep(index: number, version: Version, random: Random): Step {
  const [id, action] = [`c${index}`, random.pick(commandsOf(version))]
  const payload = requestFor(version, action, random)
  const answer = frameOf(['3', JSON.stringify(id), answerFor(version, action, random)])
  const elements = random.chance(0.7)
    ? ['3', JSON.stringify(id), answerFor(version, action, random)]
    : ['4', JSON.stringify(id), '"NotSupported"', '"no \\"relay\\""', '{"detail":[1.50]}']
  const bytes = mutated(elements, frameOf(callFor(index, version, random, 'o')), random)
  return { kind: 'message', message: { bytes, binary: false }, command: { id, action, payload, answer } }
}

/** As long as a message may be, to the byte, and around it. */
function huge(index: number, maxMessageSize: number, random: Random): string {
  const [before, after] = [`[2,"f${index}","DataTransfer",{"vendorId":"V","data":"`, '"}]']
  const wanted = random.pick([
    maxMessageSize - 1,
    maxMessageSize,
    maxMessageSize,
    maxMessageSize + 1,
    maxMessageSize * 3,
    Math.floor(maxMessageSize / 2),
  ])
  return before + 'x'.repeat(wanted - before.length - after.length) + after
}
