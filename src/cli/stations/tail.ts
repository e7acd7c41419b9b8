/**
 * `ocpp-cable tail`: frames as they pass, a CALL and its answer on adjacent lines.
 */
import { isObject, parseJson } from '../../ocpp/json.ts'
import { connect } from '../admin/connect.ts'
import type { ServerEvent } from '../admin/events.ts'
import { CommandError, type Call, type Terminal } from '../command.ts'
import type { tail } from '../flags.ts'
import { escaped } from '../show/escape.ts'
import { paint } from '../show/paint.ts'
import { Pairs, type Frame } from '../show/pairs.ts'
import { clockText, latencyText } from '../show/time.ts'

/** How often CALLs without an answer are looked for. */
const sweepMs = 250

/** A frame, and its own text as the API sends it. */
type Received = Frame & { readonly text: string }

export async function run({ words: [glob], flags, terminal }: Call<typeof tail>): Promise<number> {
  const { action, errors, json } = flags
  const client = connect({ flags, terminal })
  const pairs = new Pairs<Received>(errors, Date.now)
  const show = async (frames: readonly Received[]): Promise<void> => {
    for (const frame of frames) await terminal.write(`${json ? escaped(frame.text) : lineOf(frame, terminal)}\n`)
  }
  // A failure to write ends the process by itself.
  const sweep = setInterval(() => void show(pairs.due()), sweepMs)
  try {
    // Without `errors`: the bridge would leave out the CALLs of errors, so errors are picked here.
    const query = { station: glob ?? null, action }
    for await (const event of client.stream('tailMessages', query)) {
      if (event.type === 'lost') terminal.warn(`${lostIn(event)} frames were lost: this terminal reads too slowly\n`)
      else if (json && !errors) await terminal.write(`${escaped(event.data)}\n`)
      else await show(pairs.add({ ...(JSON.parse(event.data) as Frame), text: event.data }))
    }
  } finally {
    clearInterval(sweep)
  }
  throw new CommandError('the bridge ended the stream: it is shutting down')
}

function lostIn({ data }: ServerEvent): string {
  const lost = parseJson(data)
  return isObject(lost) ? String(lost['count']) : 'some'
}

/** ANSI codes: cyan for what asks, green for what answers. */
const colours: Readonly<Partial<Record<Frame['type'], number>>> = { call: 36, send: 36, callResult: 32 }
const red = 31

/** `→` comes from the station, `←` goes to it. */
function lineOf(shown: Frame, terminal: Terminal): string {
  const { at, station, direction, type, action, milliseconds, isError, frame } = shown
  const cells = [
    paint(clockText(at), 2, terminal),
    escaped(station),
    direction === 'received' ? '→' : '←',
    escaped(action ?? type),
    ...(milliseconds === null ? [] : [latencyText(milliseconds)]),
    paint(escaped(frame), (isError ? null : colours[type]) ?? red, terminal),
  ]
  return cells.join(' ')
}
