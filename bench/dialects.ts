/**
 * How stations speak to a server: OCPP-J, or Action Cable for AnyCable's own server.
 */
import { calls, type CallName } from './calls.ts'
import { frameOf, idPlace, Station, type MessageFrame } from './station.ts'

export type Dialect = 'ocpp' | 'cable'

/**
 * Whether stations offer permessage-deflate, and the expected result. If it is negotiated, they compress everything.
 */
export type Compression = 'none' | 'declined' | 'agreed'

/** How the stations of a group connect; a station's identity is `prefix` and a number. */
export type Ways = {
  readonly prefix: string
  readonly dialect: Dialect
  readonly url: string
  readonly compression: Compression
}

export type Connected = {
  readonly sn: string
  readonly station: Station
  readonly frameFor: (call: CallName) => MessageFrame
  /** Accepts the command with this id. */
  readonly answerFor: (id: string) => MessageFrame
}

const accepted = { status: 'Accepted' }

/** Resolves when the station has booted, or is subscribed. */
export const openers: Readonly<Record<Dialect, (ways: Ways, sn: string) => Promise<Connected>>> = {
  ocpp: async ({ url, compression }, sn) => {
    const station = await Station.open(`${url}/${sn}`, 'ocpp1.6', compression !== 'none')
    if (station.isCompressing !== (compression === 'agreed')) throw new Error(`compression is not ${compression}`)
    const frameFor = (call: CallName): MessageFrame => {
      const { action, payload } = calls[call]
      return frameOf(JSON.stringify([2, idPlace, action, payload(sn)]), station.isCompressing)
    }
    await station.call(frameFor('boot'))
    return { sn, station, frameFor, answerFor: id => frameOf(JSON.stringify([3, id, accepted])) }
  },
  cable: async ({ url }, sn) => {
    const station = await Station.open(url, 'actioncable-v1-json', false)
    await station.next('"welcome"')
    const identifier = JSON.stringify({ channel: 'OCPPChannel', sn })
    const confirmed = station.next('confirm_subscription')
    station.send(frameOf(JSON.stringify({ command: 'subscribe', identifier })))
    await confirmed
    const perform = (action: string, id: string, command: string, payload: object): MessageFrame => {
      const data = JSON.stringify({ action, id, command, payload })
      return frameOf(JSON.stringify({ command: 'message', identifier, data }))
    }
    return {
      sn,
      station,
      frameFor: call => {
        const { action, payload } = calls[call]
        return perform(action.replace(/(?<=[a-z])(?=[A-Z])/, '_').toLowerCase(), idPlace, action, payload(sn))
      },
      answerFor: id => perform('ack', id, 'Ack', accepted),
    }
  },
}
