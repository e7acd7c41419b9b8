/**
 * The station's side of OCPP-J: one WebSocket, with calls in both directions.
 *
 * `connector.ts` has its measurements and decisions. Frames: OCPP-J 1.6 §4.2.
 */
import { once } from 'node:events'
import WebSocket from 'ws'
import { Failure } from './failure.ts'

export type Payload = Readonly<Record<string, unknown>>

/** A call and its answer, with the frames on the wire. */
export type Exchange = {
  readonly id: string
  readonly action: string
  readonly payload: Payload
  readonly sent: string
  readonly answer: Payload
  readonly received: string
}

/** A remote command and the station's answer; `null` if the station does not know the command. */
export type Command = {
  readonly id: string
  readonly action: string
  readonly payload: Payload
  readonly received: string
  readonly answer: Payload | null
  readonly sent: string
}

type Frame =
  | readonly [type: 2, id: string, action: string, payload: Payload]
  | readonly [type: 3, id: string, payload: Payload]
  | readonly [type: 4, id: string, code: string, description: string, details: Payload]

type Open = { readonly frame: Frame; readonly settle: (answer: Frame, text: string) => void }

export class Station {
  readonly #socket: WebSocket
  readonly #answerTo: (action: string, payload: Payload) => Payload | null
  readonly #onCommand: (command: Command) => void
  #open: Open | null = null
  #calls = 0
  /** Serializes calls: a station has at most one call pending (OCPP-J 1.6 §4.1.1). */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(
    socket: WebSocket,
    answerTo: (action: string, payload: Payload) => Payload | null,
    onCommand: (command: Command) => void,
  ) {
    this.#socket = socket
    this.#answerTo = answerTo
    this.#onCommand = onCommand
    // A broken connection shows as a timeout or as the end of the connection.
    socket.on('error', () => undefined)
    socket.on('message', data => this.#onMessage((data as Buffer).toString()))
  }

  /**
   * @param answerTo   the station's answer to a remote command; `null` for an unknown command
   * @param onCommand  called after the answer has been sent
   */
  static async open(
    url: string,
    answerTo: (action: string, payload: Payload) => Payload | null,
    onCommand: (command: Command) => void,
  ): Promise<Station> {
    const socket = new WebSocket(url, 'ocpp1.6')
    const station = new Station(socket, answerTo, onCommand)
    await once(socket, 'open').catch((error: unknown) => {
      throw new Failure('The bridge rejected the station', { cause: error })
    })
    return station
  }

  /** The negotiated subprotocol. */
  get subprotocol(): string {
    return this.#socket.protocol
  }

  /** Resolves when the connection has ended, on either side. */
  async ended(): Promise<{ code: number; reason: string }> {
    const [code, reason] = (await once(this.#socket, 'close')) as [number, Buffer]
    return { code, reason: reason.toString() }
  }

  /** Rejects if the answer is an error. */
  call(action: string, payload: Payload): Promise<Exchange> {
    const exchange = this.#turn.then(() => this.#call(action, payload))
    this.#turn = exchange.catch(() => undefined)
    return exchange
  }

  /** Closes the connection with a WebSocket close, as OCPP requires. */
  async close(): Promise<{ code: number; reason: string }> {
    const ended = this.ended()
    this.#socket.close(1000, 'Good-bye')
    return ended
  }

  /** Terminates the connection without a close frame. Does nothing if it has ended. */
  cut(): void {
    this.#socket.terminate()
  }

  #call(action: string, payload: Payload): Promise<Exchange> {
    const id = String((this.#calls += 1))
    const frame: Frame = [2, id, action, payload]
    return new Promise((resolve, reject) => {
      const settle = (answer: Frame, received: string): void => {
        this.#open = null
        if (answer[0] === 3) resolve({ id, action, payload, sent, answer: answer[2], received })
        else reject(new Failure(`The answer to the station's ${action} is an error: ${received}`))
      }
      this.#open = { frame, settle }
      const sent = this.#send(frame)
    })
  }

  #onMessage(text: string): void {
    const frame = JSON.parse(text) as Frame
    if (frame[0] === 2) return this.#onCall(frame[1], frame[2], frame[3], text)
    if (this.#open?.frame[1] === frame[1]) this.#open.settle(frame, text)
  }

  #onCall(id: string, action: string, payload: Payload, received: string): void {
    const answer = this.#answerTo(action, payload)
    const sent = this.#send(
      answer === null ? [4, id, 'NotImplemented', 'This simulated station cannot do that', {}] : [3, id, answer],
    )
    this.#onCommand({ id, action, payload, received, answer, sent })
  }

  #send(frame: Frame): string {
    const text = JSON.stringify(frame)
    this.#socket.send(text)
    return text
  }
}
