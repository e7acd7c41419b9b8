/**
 * The limits part of the option table: what one address, and one connection, may cost.
 *
 * Pure. docs/security.md has all limits in one table, those without an option too.
 */
import { bytes, duration, integer, KiB, MiB, second } from '../kinds.ts'
import { group, option } from '../option.ts'

export const limits = group('Limits', {
  connPerAddress: option(
    integer(),
    20_000,
    'Limit on open connections from one address, an IPv6 /64 counting as one; a further one gets 429. 0 means no limit of its own.',
  ),
  upgradeRate: option(
    integer(),
    500,
    "Limit on upgrades per second from one address; 40 seconds' worth may come at once, as from a fleet behind one address that reconnects. A further one gets 429. Stations with credentials that were right before count apart, with the same limit. 0 means no limit.",
  ),
  frameRate: option(
    integer({ min: 1 }),
    1_000,
    "Frames per second of one station, or KiB if that is more; 5 seconds' worth may come at once. A station that sends more is read later.",
  ),
  unacceptedFrameRate: option(
    integer({ min: 1 }),
    20,
    'The same before the app has accepted the station; 1,000 frames beyond it close the connection with 1008.',
  ),
  unacceptedMessageSize: option(
    bytes({ min: KiB }),
    64 * KiB,
    'Largest message, decompressed, before the app has accepted the station; a larger one closes its connection with 1009. A station that was accepted before may send max_message_size; if it compresses, only with the credentials of then.',
  ),
  unfinishedSize: option(
    bytes({ min: MiB }),
    64 * MiB,
    'Limit on the parts of unfinished messages, over all stations that the app has not accepted; beyond it, the latest ones are closed with 1013.',
  ),
  messageTimeoutMs: option(
    duration({ bare: 's' }),
    60 * second,
    'How long a station may take for one message, from its first byte to its last. Once the app has accepted it, or if it has the credentials with which the app accepted it before, how long it may send nothing in the middle of one. After that, its connection is closed with 1008. 0 means no limit.',
  ),
  writeTimeoutMs: option(
    duration({ bare: 's' }),
    2 * second,
    'How long a station may read nothing while data waits for it, beyond what the system buffers; after that, its connection is terminated. 0 means no limit.',
    { flag: 'ws_write_timeout', toml: 'ws.write_timeout' },
  ),
})
