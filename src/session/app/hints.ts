/**
 * Hints for the app's developer: what to do about a refusal that has a known cause.
 *
 * Pure. Source: the texts of the gems `anycable-core` (`middlewares/check_version.rb`) and `anycable-rails`
 * (`rails/connection.rb`).
 */

/** What the app refused. */
export type Refused =
  /** An ERROR, with the app's message. */
  | { readonly kind: 'error'; readonly message: string }
  /** A FAILURE of Connect; `withheld` where the station's credentials were not forwarded to the app. */
  | { readonly kind: 'connect'; readonly withheld: boolean }
  /** A FAILURE of subscribe; `said` where the channel called `reject`. */
  | { readonly kind: 'subscribe'; readonly said: boolean }

/** One line for the log; `key` is the same for all stations with the same cause. */
export type Hint = { readonly key: string; readonly text: string }

/** `null` where the app's own message says it all. */
export function hintFor(refused: Refused): Hint | null {
  switch (refused.kind) {
    case 'error':
      return channelHint(refused.message) ?? versionHint(refused.message) ?? itemsHint(refused.message)
    case 'connect':
      return refused.withheld ? withheldHint : null
    case 'subscribe':
      return refused.said ? rejectedHint : abortedHint
  }
}

const withheldHint: Hint = {
  key: 'hint headers',
  text: 'the app rejected a station whose Authorization header was not forwarded: add authorization to --headers',
}

const rejectedHint: Hint = {
  key: 'hint rejected',
  text: "the app's channel called `reject` in `subscribed` for this identifier: make it accept the sn, or set --ocpp_sn",
}

const abortedHint: Hint = {
  key: 'hint aborted',
  text: 'the app aborted a subscription without `reject`: check for a before_command or rescue_from in its Connection, and that --ocpp_channel names a channel',
}

/** The bridge's own words, see `rpc/transport.ts`. */
function itemsHint(message: string): Hint | null {
  if (!message.startsWith('the reply has more than ')) return null
  return {
    key: 'hint items',
    text: 'the bridge refused a reply of the app with too many items: transmit less in one action, broadcast the rest, and keep less in the state of the connection and the channel',
  }
}

/**
 * Rails derives a class name from its file: `ocpp_channel.rb` holds OcppChannel, unless OCPP is registered as an
 * acronym.
 */
function channelHint(message: string): Hint | null {
  const [, name] = /^Channel not found: ([\w:]{1,100})$/.exec(message) ?? []
  if (name === undefined) return null
  const [acronym] = /[A-Z]{2,}(?=[A-Z][a-z]|\d|$|:)/.exec(name) ?? []
  const cure =
    acronym === undefined
      ? 'define it'
      : `if the class exists, put \`ActiveSupport::Inflector.inflections { |inflect| inflect.acronym "${acronym}" }\` into config/initializers/inflections.rb`
  return { key: 'hint channel', text: `the app has no channel class ${name}: ${cure}, or set --ocpp_channel` }
}

function versionHint(message: string): Hint | null {
  const [, spoken, ours] =
    /^Incompatible AnyCable RPC client\.\s+Current server version: (\w{1,20})\.\s+Client supported versions: ([\w,]{1,40})/.exec(
      message,
    ) ?? []
  if (spoken === undefined || ours === undefined) return null
  const text =
    ours === 'unknown'
      ? "the RPC metadata protov does not reach the app's anycable gem: make the proxy in front of --rpc_host forward it"
      : `the app's anycable gem speaks version ${spoken} of the RPC protocol, the bridge speaks ${ours}: install an anycable-rails that speaks ${ours}`
  return { key: 'hint protov', text }
}
