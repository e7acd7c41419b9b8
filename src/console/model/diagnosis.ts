/**
 * What is wrong with a station, in sentences, and in a few words for a list; the worst first. Each is a fact that the
 * bridge has seen.
 *
 * Pure: no DOM.
 */
import type { StationSummary, StationView, Trouble } from '../../admin/answers.ts'
import { violationText, type Violation } from './schema.ts'
import type { Tone } from './states.ts'
import { countText, numberText } from './text.ts'
import { agoText, durationText } from './time.ts'

export type Finding = {
  readonly tone: Tone
  readonly says: string
  /** What to do about it, or where to look. */
  readonly advice: string
}

/** After so many seconds, a CALL without an answer is worth a look. */
const slowSeconds = 5
const mostKinds = 4
/** The bridge counts no more of `recentEnds`. */
const mostEnds = 10

/** The latest message that breaks its schema, and how many do, of those that were seen. */
export type Breach = { readonly action: string; readonly violation: Violation; readonly count: number }

/**
 * @param breach of the messages shown on the page; without one, the bridge's own record is used
 * @param now in ms since the epoch
 */
export function findingsOf(view: StationView, breach: Breach | null, now: number): readonly Finding[] {
  return [
    ...absence(view, now),
    ...loop(view),
    ...(view.appAway ? app(view) : boot(view)),
    ...silence(view, now),
    ...waiting(view),
    ...errors(view, now),
    ...(breach === null ? violation(view, now) : breaches(breach)),
  ]
}

function absence(view: StationView, now: number): readonly Finding[] {
  const { id, sid, state, connectedAt, leftAt, leftBecause, lastRefusal, lastEnd } = view
  const refused = (): Finding[] => {
    if (lastRefusal === null) return []
    const { status, reason, address, at } = lastRefusal
    const when = `${agoText(at, now)} with HTTP ${status}: ${reason}.`
    // Of a connected station, it may be anybody's.
    const isServed = sid !== null && state !== 'attaching'
    const says = isServed
      ? `Somebody at ${address} was refused as ${id} ${when}`
      : `Its connection from ${address} was refused ${when}`
    return [{ tone: isServed ? 'warn' : 'bad', says, advice: refusalAdvice(status) }]
  }
  if (state === 'refused') return refused()
  if (state !== 'disconnected') return lastRefusal !== null && isLater(lastRefusal.at, connectedAt) ? refused() : []
  const when = leftAt === null ? '' : ` ${agoText(leftAt, now)}`
  const code = lastEnd === null ? '' : ` (close code ${lastEnd.code})`
  const says = `It left${when}${code}: ${endReason(leftBecause)}.`
  const advice = 'A station connects again by itself. If it does not, look at its power, its network and its URL.'
  return [{ tone: 'bad', says, advice }, ...(lastRefusal !== null && isLater(lastRefusal.at, leftAt) ? refused() : [])]
}

/** A station may close its connection without a reason. */
function endReason(reason: string | null): string {
  return reason === null || reason === '' ? 'no reason was given' : reason
}

function loop({ troubles, recentEnds, lastEnd }: StationView): readonly Finding[] {
  if (!troubles.includes('reconnects')) return []
  const ends = `${numberText(recentEnds)}${recentEnds < mostEnds ? '' : ' or more'}`
  const last = lastEnd === null ? '' : `; the last end was: ${endReason(lastEnd.reason)} (close code ${lastEnd.code})`
  const says = `It connects and drops again and again: ${ends} of its connections ended in the last hour${last}.`
  return [
    {
      tone: 'bad',
      says,
      advice: "Look at its network and its log. Two stations with the same identity also end each other's connections.",
    },
  ]
}

function silence({ troubles, lastMessageAt, connectedAt, heartbeatSeconds }: StationView, now: number) {
  const since = lastMessageAt ?? connectedAt
  if (!troubles.includes('silent') || since === null || heartbeatSeconds === null) return []
  const seconds = (now - Date.parse(since)) / 1000
  const says = `It has sent nothing for ${durationText(seconds)}, and should send a Heartbeat every ${durationText(heartbeatSeconds)}.`
  const advice =
    'Its connection is open, but its software may be stuck: send TriggerMessage or Reset, and see whether it answers.'
  return [{ tone: 'warn', says, advice } as const]
}

function isLater(time: string, other: string | null): boolean {
  return other === null || Date.parse(time) > Date.parse(other)
}

function refusalAdvice(status: number): string {
  switch (status) {
    case 401:
      return 'Its key is wrong, or the app does not accept it: compare the key of the station with that of the app.'
    case 404:
      return 'The app does not know this identity, or the path is not that of the stations.'
    case 400:
      return 'Its URL, its identity or its subprotocol cannot be served: the reason names which.'
    case 403:
      return 'Its certificate or its security profile does not fit.'
    case 429:
      return 'There were too many attempts: find out what tries so often.'
    case 503:
      return 'The bridge or the app cannot take it now; it is told when to come again.'
    default:
      return 'The reason is what the station was told.'
  }
}

function app({ state }: StationView): readonly Finding[] {
  const blame = 'This is not the fault of the station: start the app, or look at its log.'
  const advice = state === 'attaching' ? `${blame} The station is accepted once the app is back.` : blame
  return [{ tone: 'bad', says: 'The app does not answer the bridge.', advice }]
}

function boot({ state }: StationView): readonly Finding[] {
  if (state === 'attaching')
    return [
      {
        tone: 'warn',
        says: 'The app has not accepted it yet.',
        advice: 'The app is slow, or the station has not said anything yet: the messages below show which.',
      },
    ]
  if (state === 'pending')
    return [
      {
        tone: 'warn',
        says: 'Its boot was answered with Pending, so it may not charge.',
        advice: 'Either the app says so, or the app was away: its log and that of the bridge say which.',
      },
    ]
  if (state !== 'rejected') return []
  return [
    { tone: 'bad', says: 'Its boot was answered with Rejected.', advice: 'The app does not accept this station.' },
  ]
}

function waiting({ calls, queues }: StationView): readonly Finding[] {
  const [toStation] = calls.toStation
  const [fromStation] = calls.fromStation
  const isSlow = (seconds: number | null): seconds is number => seconds !== null && seconds >= slowSeconds
  const found: Finding[] = []
  if (toStation !== undefined && isSlow(toStation.seconds))
    found.push({
      tone: 'bad',
      says: `It has not answered ${toStation.action} for ${durationText(toStation.seconds)}.`,
      advice: 'Commands behind it wait. It ends with CallTimeout after ocpp_call_timeout.',
    })
  if (fromStation !== undefined && isSlow(fromStation.seconds))
    found.push({
      tone: 'warn',
      says: `The app has not answered its ${fromStation.action} for ${durationText(fromStation.seconds)}.`,
      advice: 'The app is slow or away: look at the overview.',
    })
  if (queues.isPaused)
    found.push({
      tone: 'warn',
      says: `It sends faster than the app answers: ${countText(queues.messages, 'message')} wait, and it is read later.`,
      advice: 'Nothing is lost. If other stations wait too, the app is slow.',
    })
  if (queues.stored)
    found.push({
      tone: 'warn',
      says: 'Transaction messages of it are stored, because the app could not take them.',
      advice: 'They are delivered when the app is back. They are listed under Waiting for the app.',
    })
  return found
}

/** One finding for each action and code; the latest first. */
function errors({ errors: all }: StationView, now: number): readonly Finding[] {
  const kinds = new Map<string, StationView['errors'][number][]>()
  for (const error of all) {
    const kind = `${error.from} ${error.action} ${error.code}`
    kinds.set(kind, [...(kinds.get(kind) ?? []), error])
  }
  return [...kinds.values()].slice(0, mostKinds).flatMap(([latest, ...others]) => {
    if (latest === undefined) return []
    const { from, action, code, description, at } = latest
    const who = { station: 'The station', bridge: 'The bridge', app: 'The app' }[from]
    const text = description === '' ? '' : ` (${description})`
    const more = others.length === 0 ? '' : `, and ${countText(others.length, 'time')} before`
    const says = `${who} answered ${action} with ${code}${text} ${agoText(at, now)}${more}.`
    return [{ tone: 'warn', says, advice: errorAdvice(latest) } as const]
  })
}

function violation({ violation: latest }: StationView, now: number): readonly Finding[] {
  if (latest === null) return []
  const { at, action, count } = latest
  const those = count === 1 ? 'A message of it breaks its' : `${numberText(count)} messages of it break their`
  const says = `${those} official schema, the latest ${action} ${agoText(at, now)} at ${violationText(latest)}.`
  return [{ tone: 'warn', says, advice: 'Its firmware or its settings may be at fault. The next one is marked below.' }]
}

function breaches(breach: Breach | null): readonly Finding[] {
  if (breach === null) return []
  const { action, violation, count } = breach
  const those = count === 1 ? '1 message below breaks its' : `${numberText(count)} messages below break their`
  const says = `${those} official schema, the latest ${action} at ${violationText(violation)}.`
  return [
    { tone: 'warn', says, advice: 'Its firmware or its settings may be at fault: the messages below mark each place.' },
  ]
}

function errorAdvice({ from, cause }: StationView['errors'][number]): string {
  if (from === 'station')
    return 'The station says what it does not like in the description and in the details of its answer.'
  if (from === 'app') return 'The app decided so: its log says why.'
  switch (cause) {
    case 'failed':
      return 'The app raised an error or was away: its log says why.'
    case 'refused':
      return 'The app aborted the action.'
    case 'unauthorized':
      return 'The app has not accepted this station.'
    default:
      return 'The message breaks OCPP: open it below.'
  }
}

const troubleWords: Readonly<Record<Trouble, (station: StationSummary) => string>> = {
  refused: () => 'connection refused',
  reconnects: () => 'reconnects again and again',
  silent: () => 'missed its heartbeats',
  violations: () => 'breaks the schema',
  errors: ({ recentErrors, lastError }) => `${countText(recentErrors, 'error')}: ${lastError ?? ''}`,
  stored: () => 'messages wait for the app',
}

/** The worst first. */
export function troubleTexts(station: StationSummary): readonly string[] {
  return station.troubles.map(trouble => troubleWords[trouble](station))
}
