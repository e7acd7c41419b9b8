/**
 * A healthy station beside the others: whatever they do, each of its CALLs has its right answer.
 */
import type { Version } from '../../src/ocpp/version.ts'
import { ack, ackPayload, type Party, type Performed } from './app.ts'
import { underscored } from './expected.ts'
import { openLink, within, type Link } from './link.ts'
import { requestFor, stationActionsOf } from './payloads.ts'
import { Random } from './random.ts'

export class Witness implements Party {
  served = 0
  readonly id: string
  readonly #version: Version
  readonly #random: Random
  readonly #actions: readonly string[]
  #link: Link | null = null
  #onAnswer: (text: string) => void = () => undefined
  /** What the app has to be asked, and says to it. */
  #open: { readonly data: string; readonly message: string } | null = null

  constructor(id: string, version: Version, seed: number) {
    this.id = id
    this.#version = version
    this.#random = new Random(seed, id.length)
    this.#actions = stationActionsOf(version).filter(action => action !== 'Heartbeat') // the bridge's own to answer
  }

  async open(url: string): Promise<void> {
    this.#link = await openLink(url, this.id, this.#version, text => this.#onAnswer(text))
  }

  async call(): Promise<void> {
    const action = this.#random.pick(this.#actions)
    const id = `"${this.id}-${this.served + 1}"`
    const payload = requestFor(this.#version, action, this.#random)
    const answer = ackPayload(this.#version, action, 'Accepted', this.#random)
    const number = this.#version.replace('ocpp', '')
    const data = `{"action":"${underscored(action)}","id":${id},"command":"${action}","payload":${payload},"version":"${number}"}`
    this.#open = { data, message: ack(id, answer) }
    const answered = new Promise<string>(resolve => (this.#onAnswer = resolve))
    this.#link?.send({ bytes: Buffer.from(`[2,${id},"${action}",${payload}]`), binary: false })
    const closed = this.#link?.closed.then(code => `closed with ${code}`)
    const text = await within(Promise.race([answered, closed]), `a healthy station's ${action} is not answered`)
    if (text !== `[3,${id},${answer}]`)
      throw new Error(`a healthy station was told ${String(text)}, and not ${answer}, of ${action}`)
    this.served++
  }

  perform(data: string): Performed {
    // Transaction messages have a key.
    if (this.#open?.data !== data.replace(/,"key":"[\w-]{1,64}"}$/, '}'))
      throw new Error(`a healthy station never sent ${data}`)
    return { messages: [this.#open.message] }
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }
}
