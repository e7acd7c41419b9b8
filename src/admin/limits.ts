/**
 * The limits of the admin API.
 *
 * Pure: no I/O, no Node.
 */
export const limits = {
  page: 500,
  bodyBytes: 1024 * 1024,
  /** Of all bodies that are being received at the same time. */
  openBodyBytes: 16 * 1024 * 1024,
  /** Beyond them, a connection is closed at once. Those of streams and calls leave some for other requests. */
  connections: 128,
  streams: 32,
  /** Bytes that wait for a client of a stream; events beyond them are lost to this client, and counted. */
  streamBytes: 256 * 1024,
  /** Calls of stations that wait for their answer. */
  calls: 64,
  /** Scans of all stations that wait for the one that runs. */
  scans: 100,
  watches: 100,
  /** CALLs without an answer, of all watched stations. */
  openCalls: 20_000,
  /** Of a pattern for identities: matching takes the product of both lengths. */
  pattern: { characters: 64, stars: 4 },
  heartbeatSeconds: 15,
  callSeconds: 600,
  watchSeconds: 86_400,
  historyFrames: 1_000,
  historyBytes: 64 * 1024 * 1024,
} as const
