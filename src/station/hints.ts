/**
 * What the app's developer is told to do about a refusal, where it has a known cause.
 *
 * Pure. Source: the texts of the gems `anycable-core` (`middlewares/check_version.rb`) and `anycable-rails`
 * (`rails/connection.rb`).
 */

/** What the app did not take. */
export type Refused =
  /** An ERROR, with the app's words. */
  | { readonly kind: 'error'; readonly message: string }
  /** A FAILURE of Connect; `withheld` where the station's credentials are kept from the app. */
  | { readonly kind: 'connect'; readonly withheld: boolean }
  /** A FAILURE of subscribe; `said` where the channel itself rejected it. */
  | { readonly kind: 'subscribe'; readonly said: boolean }

/** One line for the log; `key` is the same for all stations that meet it. */
export type Hint = { readonly key: string; readonly text: string }

/** `null` where there is nothing to tell but what the app said. */
export function hintFor(refused: Refused): Hint | null {
  switch (refused.kind) {
    case 'error':
      return channelHint(refused.message) ?? versionHint(refused.message)
    case 'connect':
      return refused.withheld ? withheldHint : null
    case 'subscribe':
      return refused.said ? rejectedHint : abortedHint
  }
}

const withheldHint: Hint = {
  key: 'hint headers',
  text: 'the app lets a station not in that sent an Authorization header, which the app is not given: add authorization to --headers',
}

const rejectedHint: Hint = {
  key: 'hint rejected',
  text: "`subscribed` of the app's channel called `reject` for this identifier: let it accept the sn, or set --ocpp_sn",
}

const abortedHint: Hint = {
  key: 'hint aborted',
  text: 'the app aborted a subscription without `reject`: look for a before_command or rescue_from of its Connection, and whether --ocpp_channel names a channel',
}

/** Rails spells a class by its file's name: `ocpp_channel.rb` holds OcppChannel, unless it is told of the acronym. */
function channelHint(message: string): Hint | null {
  const [, name] = /^Channel not found: ([\w:]{1,100})$/.exec(message) ?? []
  if (name === undefined) return null
  const [acronym] = /[A-Z]{2,}(?=[A-Z][a-z]|\d|$|:)/.exec(name) ?? []
  const cure =
    acronym === undefined
      ? 'define it'
      : `if it is there, put \`ActiveSupport::Inflector.inflections { |inflect| inflect.acronym "${acronym}" }\` into config/initializers/inflections.rb`
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
      ? "the RPC metadata protov does not reach the app's anycable gem: let whatever stands before --rpc_host pass it on"
      : `the app's anycable gem speaks version ${spoken} of the RPC protocol, the bridge ${ours}: install an anycable-rails that speaks ${ours}`
  return { key: 'hint protov', text }
}
