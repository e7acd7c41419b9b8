/**
 * An app that acks some messages, is silent on some, and fails on some, and has each station's performs judged.
 */
import { status as grpc } from '@grpc/grpc-js'
import { ScriptedApp, GrpcStatus, type Received } from '../support/app.ts'
import type { Version } from '../../src/ocpp/version.ts'
import { answerFor, sendAction } from './payloads.ts'
import { Random } from './random.ts'

/** Who is behind a station's identity. */
export interface Party {
  /** Takes the data of a perform, and says what the app replies. */
  perform(data: string): Promise<Performed> | Performed
}
/** A reply to a perform, but for what all have in common: `messages` are transmitted. */
export type Performed = { readonly status?: 'SUCCESS' | 'FAILURE' | 'ERROR'; readonly messages?: readonly string[] }

export interface FuzzApp {
  readonly host: string
  readonly parties: Map<string, Party>
  /** Of each connection that it let in, how often it was told of the end. */
  readonly ends: ReadonlyMap<string, number>
  close(): void
}

/** @param fail takes what no app may ever be asked */
export async function openFuzzApp(fail: (problem: string) => void): Promise<FuzzApp> {
  const app = await ScriptedApp.start()
  const parties = new Map<string, Party>()
  const ends = new Map<string, number>()

  const stationOf = ({ env }: Received['message']): string =>
    decodeURIComponent((env as { url: string }).url.split('/').at(-1) ?? '')

  const performed = async (data: string, party: Party | undefined): Promise<Performed> => {
    try {
      return (await party?.perform(data)) ?? {}
    } catch (error) {
      if (!(error instanceof GrpcStatus)) fail(String(error))
      throw error
    }
  }

  const command = async (message: Received['message']): Promise<object> => {
    const { command, data } = message as { command: string; data: string }
    const identifier = readIdentifier(String(message['identifier']))
    if (identifier === null) fail(`an identifier that is none of ours: ${String(message['identifier'])}`)
    if (command === 'subscribe') {
      const transmissions = [`{"identifier":${JSON.stringify(message['identifier'])},"type":"confirm_subscription"}`]
      return { status: 'SUCCESS', streams: [stationOf(message)], transmissions }
    }
    if (command !== 'message') return { status: 'SUCCESS' }
    const party = parties.get(stationOf(message))
    const { status = 'SUCCESS', messages = [] } = await performed(data, party)
    return {
      status,
      transmissions: messages.map(text => `{"identifier":${JSON.stringify(message['identifier'])},"message":${text}}`),
    }
  }

  app.always(async ({ method, metadata, message }) => {
    // The mailbox keeps what nobody reads, which would be all of it.
    app.received.all.length = 0
    void app.received.next()
    const { sid = '' } = metadata
    if (method === 'Command') return command(message)
    if (method === 'Connect') ends.set(sid, 0)
    else ends.set(sid, (ends.get(sid) ?? 0) + 1)
    return { status: 'SUCCESS', ...(method === 'Connect' && { identifiers: JSON.stringify({ sid }) }) }
  })
  return { host: app.host, parties, ends, close: () => app.stop() }
}

/** A valid answer to a station's CALL. */
export function ackPayload(version: Version, action: string, status: string, random: Random): string {
  if (action !== 'BootNotification') return answerFor(version, action, random)
  return JSON.stringify({ currentTime: '2026-01-02T03:04:05.678Z', interval: 300, status })
}

export const ack = (id: string, payload: string): string => `{"command":"Ack","id":${id},"payload":${payload}}`

/** What this app does with a message of an attacker; the same message has the same fate in each run. */
export async function whim(version: Version, id: string, action: string): Promise<Performed> {
  if (action === sendAction) return { messages: [ack(id, '{}')] } // which must go nowhere
  const random = new Random(...Buffer.from(id.slice(0, 40)), action.length)
  const boot = random.pick(['Accepted', 'Accepted', 'Accepted', 'Accepted', 'Accepted', 'Accepted', 'Pending'])
  const answer = ack(id, ackPayload(version, action, boot, random))
  const fate = random.integer(action === 'BootNotification' ? 60 : 16)
  switch (fate) {
    case 0:
      return { status: 'ERROR' }
    case 1:
      return { status: 'FAILURE' }
    case 2:
      throw new GrpcStatus(grpc.INTERNAL, 'as a server of the app fails')
    case 3:
      return { messages: [errorFor(id, random)] }
    case 4:
      return { messages: [answer, answer] }
    case 5:
      return { messages: [ack('"another"', '{}'), 'null', '[]', '{"command":"Ack"}', ack(id, '[]'), ack('{}', '{}')] }
    case 6:
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
      return { messages: [answer] }
    case 7:
    case 8:
    case 9:
      return {}
    default:
      return { messages: [answer] }
  }
}

function errorFor(id: string, random: Random): string {
  const codes = ['FormatViolation', 'FormationViolation', 'OccurenceConstraintViolation', 'RpcFrameworkError']
  const message = random.pick(['why', '', '\ud800', 'x'.repeat(254) + '💥', '"'.repeat(300)])
  const said = { command: 'Error', code: random.pick(codes), message, payload: { detail: [1.5] } }
  return JSON.stringify(said).replace('{', `{"id":${id},`)
}

function readIdentifier(text: string): object | null {
  const identifier = JSON.parse(text) as Record<string, unknown>
  const { channel, sn } = identifier
  const isOurs = channel === 'OCPPChannel' && typeof sn === 'string' && Object.keys(identifier).length === 2
  return isOurs ? identifier : null
}
