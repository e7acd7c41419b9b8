/**
 * Metrics for a StatsD server, by UDP: what counters counted in an interval, and gauges.
 *
 * A histogram is two counters, of its observations and of their sum: timers would be a line for each message.
 * Spec: StatsD's docs/metric_types.md; tags as DogStatsD, InfluxDB and Graphite have them.
 */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { Reading } from '../metrics.ts'
import type { Notices } from '../notices.ts'
import type { Report } from './intervals.ts'

export type StatsdSettings = {
  readonly host: string
  readonly port: number
  /** Of every name, with its dot. */
  readonly prefix: string
  readonly tagsFormat: keyof typeof tagsFormats
  /** In bytes. */
  readonly maxPacketSize: number
  /** Of every metric; its own label of the same name wins. */
  readonly tags: Readonly<Record<string, string>>
}

/** What begins the tags, what is between two of them, and between a name and its value. */
const tagsFormats = {
  datadog: ['|#', ',', ':'],
  influxdb: [',', ',', '='],
  graphite: [';', ';', '='],
} as const

/** Reports to a server that may be away: one that is not there, or has no address, costs a warning. */
export function openStatsd(settings: StatsdSettings, notices: Pick<Notices, 'once'>): Report {
  const { host, port } = settings
  const onError = (error: unknown): void =>
    void notices.once('statsd', { error, host, port }, 'StatsD does not get the metrics')
  let socket: Socket | null = null
  let isSending = false
  let isClosed = false
  const sendAll = async (readings: readonly Reading[]): Promise<void> => {
    // Only one address is tried, and most servers listen on IPv4 only.
    const { address, family } = await lookup(host, { order: 'ipv4first' })
    if (isClosed) return
    // The last socket stays open until now: a refused packet is reported after it was sent.
    socket?.close()
    const opened = createSocket(family === 6 ? 'udp6' : 'udp4')
      .unref()
      .on('error', onError)
    socket = opened
    opened.connect(port, address)
    await once(opened, 'connect')
    for (const packet of packetsOf(readings.flatMap(linesOf(settings)), settings.maxPacketSize))
      await send(opened, packet)
  }
  return {
    send: async readings => {
      // A name server that does not answer must not make the lookups pile up.
      if (isSending) return
      isSending = true
      await sendAll(readings).catch(onError)
      isSending = false
    },
    close: () => {
      isClosed = true
      socket?.close()
      socket = null
    },
  }
}

function send(socket: Socket, packet: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, error => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

/** The line of a reading; none of a counter that has not grown. */
export function linesOf({ prefix, tagsFormat, tags }: Pick<StatsdSettings, 'prefix' | 'tagsFormat' | 'tags'>) {
  const [start, between, equals] = tagsFormats[tagsFormat]
  return ({ type, name, labels, value }: Reading): string[] => {
    if (type === 'counter' && value === 0) return []
    const all = Object.entries({ ...tags, ...labels }).map(([tag, text]) => tag + equals + tagValue(text))
    const written = all.length === 0 ? '' : start + all.join(between)
    const measured = `:${value}|${type === 'counter' ? 'c' : 'g'}`
    return [prefix + name + (tagsFormat === 'datadog' ? measured + written : written + measured)]
  }
}

/** Valid in any format: without what separates the parts of a line, not empty, and without Graphite's leading `~`. */
function tagValue(text: string): string {
  return text.replace(/[\s,:;=|#]|^~/g, '_') || '_'
}

/** Bundles lines; one that is longer than a packet has its own. */
export function packetsOf(lines: readonly string[], maxPacketSize: number): string[] {
  const packets: string[] = []
  let size = Infinity
  for (const line of lines) {
    const bytes = Buffer.byteLength(line)
    if (size + 1 + bytes <= maxPacketSize) {
      packets.push(`${packets.pop() ?? ''}\n${line}`)
      size += 1 + bytes
    } else {
      packets.push(line)
      size = bytes
    }
  }
  return packets
}
