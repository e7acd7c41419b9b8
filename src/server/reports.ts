/**
 * What the log and the metrics say of refused and invalid connections. The log is bounded: a client chooses the path.
 */
import { addressOf, type Refusal, type UpgradeRequest } from '../translate/handshake.ts'
import { likelyIdentity, shownTarget } from '../translate/refused-target.ts'
import type { Member, World } from '../session/ports.ts'

/** In characters: longer than any host name. */
const maxLoggedHost = 300

export interface Reports {
  /**
   * Called when a connection is refused.
   *
   * @param header the name of the header that cannot be read, if that is why
   */
  onRefused(request: UpgradeRequest, refusal: Refusal, header?: string | null): void
  /** Called when a request does not arrive in time. Not logged: health checks open connections and send nothing. */
  onTimeout(): void
  /** @param reason in OpenSSL's words where it is OpenSSL that failed */
  onTlsFailure(remoteAddress: string, reason: string): void
  /** Called when a bug of the bridge breaks an upgrade. The connection is closed without an answer. */
  onFault(request: UpgradeRequest, error: unknown): void
}

/** @param prefix of the stations' paths */
export function newReports(prefix: string, { log, once, meter }: Pick<World, 'log' | 'once' | 'meter'>): Reports {
  return {
    onRefused: ({ target, remoteAddress }, { status, reason, problem }, header = null) => {
      meter.count('ocpp_refused_total', { reason })
      const path = shownTarget(target, prefix)
      const station = reason === 'path' ? null : likelyIdentity(target, prefix)
      const about = { ...(station !== null && { station }), ...(header !== null && { header }) }
      const fields = { path, remoteAddress, status, problem, ...about }
      // 503 refuses many stations for one reason: one line. The rest is one station's fault: a line for each path, for
      // behind a proxy all have one address. 409 is about an identity, whatever its address.
      const whose = status === 503 || status === 409 ? '' : ` ${remoteAddress}`
      const detail = status === 503 || status === 429 ? '' : `${path} ${header ?? ''}`
      once(`refused ${problem}${whose}`, fields, 'a station was refused', detail)
    },
    onTimeout: () => meter.count('ocpp_refused_total', { reason: 'timeout' }),
    onTlsFailure: (remoteAddress, reason) => {
      meter.count('ocpp_refused_total', { reason: 'tls' })
      once(`tls ${remoteAddress}`, { remoteAddress, reason }, 'a TLS handshake failed', reason)
    },
    onFault: ({ target, remoteAddress }, error) =>
      log.error({ path: shownTarget(target, prefix), remoteAddress, error }, 'a bug in the bridge ended a connection'),
  }
}

/** One warning per peer: behind a proxy, the proxy is what sends the header. */
export function warnOfHost({ handshake, who }: Member, once: World['once']): void {
  const { invalidHost } = handshake
  if (invalidHost === undefined) return
  const remoteAddress = addressOf(handshake)
  const fields = { ...who, remoteAddress, host: invalidHost.replace(/^.*@/s, '***@').slice(0, maxLoggedHost) }
  once(
    `host ${remoteAddress}`,
    fields,
    "a station sent an invalid Host header, env.url has the bridge's own address: check its endpoint URL, or the proxy",
  )
}
