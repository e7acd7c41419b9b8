/**
 * Which stations may connect: part of OCPP's group of the option table.
 *
 * Pure.
 */
import { file, listOf, oneOf, optional, text } from '../kinds.ts'
import { option } from '../option.ts'

export const auth = {
  connectOn: option(
    oneOf('boot', 'upgrade'),
    'boot',
    'When the app is asked whether it accepts a station (Connect). boot: at its first CALL, as AnyCable does; a rejected station gets Rejected and is closed with 1008. upgrade: before its WebSocket opens; a rejected station gets 401, an unknown one 404, and 503 with Retry-After while the app is away.',
  ),
  authFile: option(
    optional(file),
    null,
    'File with the keys of all stations, as hashes, which the bridge then checks itself before the WebSocket opens: 404 for a station without a line, 401 for a wrong key. Managed by `ocpp-cable auth`; read again when it changes. When empty, the app checks them.',
  ),
  operator: option(
    optional(text()),
    null,
    'The operator (CPO) that the O of a client certificate must name. When empty, any.',
  ),
  certificateNames: option(
    oneOf('cn', 'san', 'serial'),
    'cn',
    'How a client certificate names its station: cn, its CN is the identity; san, a DNS name or URI of its SAN is; serial, its CN is the serial number, and the app decides whose identity it is.',
  ),
  profileDowngrade: option(
    listOf(text()),
    [],
    'Identities of stations that may connect with a lower security profile than before, or with a certificate of another serial number. * means all.',
  ),
}
