/**
 * One station: what is wrong with it, its frames as they pass, its transactions, and commands to it.
 */
import type { FrameView, StationView } from '../../admin/answers.ts'
import type { AnswerOf } from '../../admin/routes.ts'
import { findingsOf, type Breach } from '../model/diagnosis.ts'
import { Timeline } from '../model/frames.ts'
import { transactionsIn } from '../model/transactions.ts'
import { visible } from '../model/text.ts'
import { Refusal } from '../net/api.ts'
import { openPoll, type Poll } from '../net/poll.ts'
import { openStream, type Stream, type StreamState } from '../net/stream.ts'
import { html, type TemplateResult } from '../vendor/lit-html/lit-html.js'
import { findingList, stationFacts } from '../views/about.ts'
import { CommandPanel } from '../views/command.ts'
import { emptyNote, errorNote, loadingNote, section, stateBadge } from '../views/parts.ts'
import { TimelinePanel } from '../views/timeline.ts'
import { storedList, transactionList, type Stored } from '../views/transactions.ts'
import { asking, type Context, type Page } from './page.ts'
import { Schemas } from './schemas.ts'

const everyMs = 2_000
const historyFrames = 200
const storedShown = 8
const historySeconds = 3_600

export class StationPage implements Page {
  readonly title: string
  readonly #context: Context
  readonly #path: string
  readonly #poll: Poll
  readonly #frames: Stream
  readonly #timeline = new Timeline()
  readonly #schemas: Schemas
  readonly #panel: TimelinePanel
  readonly #command: CommandPanel
  #view: StationView | null = null
  /** `null` if nothing of it waits. */
  #stored: Stored | null = null
  #history: Pick<AnswerOf<'listMessages'>, 'kept' | 'until'> = { kept: 0, until: null }
  #stream: StreamState = 'connecting'
  #error: Error | null = null

  constructor(context: Context, id: string) {
    this.title = visible(id)
    this.#context = context
    this.#path = `/v1/stations/${encodeURIComponent(id)}`
    this.#schemas = new Schemas(context)
    this.#panel = new TimelinePanel(context, this.#schemas)
    this.#command = new CommandPanel(context, this.#schemas, this.#path)
    this.#poll = openPoll(everyMs, () => this.#refresh())
    this.#frames = openStream(`/v1/messages?station=${encodeURIComponent(id)}`, ['message', 'lost'], {
      onEvent: (type, data) => {
        // A pattern may fit other stations, too.
        if (type === 'message' && (data as FrameView).station === id) this.#onFrame(data as FrameView)
      },
      onState: state => {
        this.#stream = state
        if (state === 'open') void this.#readHistory()
        context.redraw()
      },
    })
  }

  view(): TemplateResult {
    const view = this.#view
    return html`<main id="main" class="page station-page">
      <p class="crumbs"><a href="#/stations">Stations</a> /</p>
      <div class="title-line">
        <h1 tabindex="-1" class="id">${this.title}</h1>
        ${view === null ? '' : html`${stateBadge(view.state)} ${view.version === null ? '' : html`<span class="chip">OCPP ${view.version}</span>`}`}
      </div>
      ${view === null ? this.#waiting() : this.#shown(view)}
    </main>`
  }

  close(): void {
    this.#poll.close()
    this.#frames.close()
  }

  #waiting(): TemplateResult {
    if (this.#error === null) return loadingNote('Loading the station')
    if (!(this.#error instanceof Refusal) || this.#error.problem.status !== 404)
      return errorNote('The station cannot be shown', this.#error)
    return emptyNote(
      'The bridge does not know this station',
      html`It has not tried to connect since the bridge was started, or that was long ago. Compare the identity: capital
        letters count. <a href="#/stations">All stations</a>`,
    )
  }

  #shown(view: StationView): TemplateResult {
    const { entries } = this.#timeline
    const now = this.#context.now()
    const timeline = this.#panel.view(entries, {
      view,
      state: this.#stream,
      history: this.#history,
      onKeep: this.#onKeep,
    })
    const transactions = transactionList(transactionsIn(entries), now)
    return html`<div class="station-columns">
      <div class="station-main">
        ${section('wrong', 'What is wrong', findingList(findingsOf(view, this.#breach(view), now)))}
        ${this.#stored === null ? '' : section('stored', 'Waiting for the app', storedList(this.#stored, now))}
        ${section('timeline', 'Messages', timeline, this.#panel.tools(this.#stream))}
      </div>
      <div class="station-side">
        ${section('command', 'Send a command', this.#command.view(view))}
        ${section('transactions', 'Transactions seen', transactions)}
        ${section('about', 'About this station', stationFacts(view, now))}
      </div>
    </div>`
  }

  #breach({ version }: StationView): Breach | null {
    const broken = this.#timeline.entries
      .filter(({ from }) => from === 'station')
      .map(entry => ({ action: entry.action ?? '', violation: this.#schemas.violationsIn(entry, version)[0] }))
      .filter(({ violation }) => violation?.where === 'message')
    const [latest] = broken
    if (latest?.violation === undefined) return null
    return { action: latest.action, violation: latest.violation, count: broken.length }
  }

  #onFrame(frame: FrameView): void {
    this.#timeline.add(frame)
    this.#context.redraw()
  }

  async #refresh(): Promise<void> {
    this.#error = await asking(this.#context, async () => {
      const view = await this.#context.api.get<'getStation'>(this.#path)
      this.#view = view
      const { api } = this.#context
      const query = `station=${encodeURIComponent(view.id)}&limit=${storedShown}`
      this.#stored = view.queues.stored ? await api.get<'listOutbox'>(`/v1/outbox?${query}`) : null
    })
  }

  /** What passed before the stream was open, if the bridge has kept it. */
  async #readHistory(): Promise<void> {
    await asking(this.#context, async () => {
      const { messages, ...about } = await this.#context.api.get<'listMessages'>(
        `${this.#path}/messages?limit=${historyFrames}`,
      )
      this.#history = about
      for (const frame of messages) this.#timeline.add(frame)
    })
  }

  readonly #onKeep = async (): Promise<void> => {
    const body = JSON.stringify({ frames: historyFrames, for: historySeconds })
    this.#error = await asking(this.#context, async () => {
      await this.#context.api.send<'setHistory'>('PUT', `${this.#path}/history`, body)
    })
    await this.#readHistory()
  }
}
