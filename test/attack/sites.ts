/**
 * The bridges that are attacked, one row each.
 */

export type SiteName = 'plain' | 'impatient' | 'tls' | 'names' | 'keys' | 'nats' | 'unread' | 'away'

export type SiteRow = {
  readonly flags: readonly string[]
  readonly isTls?: boolean
  /** With TLS: it has a certificate for a second name. */
  readonly hasNames?: boolean
  /** The bridge checks the stations' keys itself, by `ocpp_auth_file`. */
  readonly hasKeys?: boolean
  readonly hasNats?: boolean
  /** During an attack, nobody reads the log. */
  readonly isLogUnread?: boolean
  /**
   * The app ends once it has accepted the healthy stations. They boot again and again, and are told how long to wait.
   */
  readonly isAppAway?: boolean
}

export const sites: Readonly<Record<SiteName, SiteRow>> = {
  plain: { flags: [] },
  impatient: { flags: ['--limits_message_timeout=5s'] },
  tls: { flags: [], isTls: true },
  names: { flags: [], isTls: true, hasNames: true },
  keys: { flags: [], hasKeys: true },
  nats: { flags: [], hasNats: true },
  unread: { flags: ['--log_level=debug'], isLogUnread: true },
  away: { flags: [], isAppAway: true },
}

/** With it, the bridge accepts broadcasts over HTTP. */
export const broadcastKey = 'a-key'

/** Stations in the file of keys that are attacked, by the name `known-` and a number. */
export const keyLines = 2_000
