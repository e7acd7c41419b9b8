/**
 * Hands what the app publishes to the stations, in its order. A batch may hold ten thousand broadcasts: between slices of
 * it, stations are served.
 */
import { parseBroadcasts, type Broadcast, type Deliver } from '../cable/broadcast.ts'
import { elementsOf, isParsable, membersOf } from '../ocpp/json.ts'

const slicing = { elementsOf, membersOf, isParsable }
/** How long broadcasts are delivered at a stretch. */
const sliceMs = 5
/** Beyond so many characters, slices would let the app publish faster than stations are served: there are none. */
const maxWaiting = 16 * 1024 * 1024

/**
 * @param deliver throws only for a bug, which ends the process
 * @param now monotonic, in ms
 */
export function inSlices(deliver: (broadcast: Broadcast) => void, now: () => number): Deliver {
  const waiting: Broadcast[] = []
  let characters = 0
  let next: NodeJS.Immediate | undefined
  const goOn = (): void => {
    clearImmediate(next)
    const until = now() + sliceMs
    let delivered = 0
    for (const broadcast of waiting) {
      if (now() >= until && characters <= maxWaiting) break
      delivered++
      deliver(broadcast)
    }
    waiting.splice(0, delivered)
    next = waiting.length > 0 ? setImmediate(goOn) : undefined
    if (next === undefined) characters = 0
  }
  return text => {
    characters += text.length
    for (const broadcast of parseBroadcasts(text, slicing)) waiting.push(broadcast)
    if (next === undefined || characters > maxWaiting) goOn()
  }
}
