/**
 * Attacks by connections that take their time. The bridge must end each of them; the attack lasts until it has.
 */
import { setImmediate } from 'node:timers/promises'
import { frameOf } from '../../support/peer.ts'
import { fragment, silent, unending, type Attack } from '../attack.ts'
import { dial, gone, hangUp, ready, repeat, version16 } from '../connections.ts'

const halfHello = Buffer.from('16030100c8010000c40303', 'hex')

/** A first message of 16,000 bytes, in records of one byte each. */
const crumbs = Buffer.concat(
  [1, 0, 0x3e, 0x80, ...Array<number>(16_000).fill(0)].map(byte => Buffer.from([22, 3, 1, 0, 1, byte])),
)

/** On the bytes below TLS. */
const bare =
  (run: Attack['run']): Attack['run'] =>
  (target, ends) =>
    run({ ...target, isTls: false }, ends)

export const slow: readonly Attack[] = [
  {
    name: 'slowloris: no byte, 2,000',
    ends: ['closed', 'http 408'],
    run: silent(2_000, ''),
  },
  {
    name: 'slowloris: a head, a byte a second, 2,000',
    ends: ['closed', 'http 408'],
    run: silent(2_000, 'GET /ocpp/x HTTP/1.1\r\nX: ', 'x'),
  },
  {
    name: 'slowloris: a body, a byte a second, 2,000',
    ends: ['closed', 'http 426'],
    run: silent(2_000, 'POST /ocpp/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n', 'x'),
  },
  {
    name: 'slowloris: a message, a fragment a second, 500',
    site: 'impatient',
    ends: ['ws 1008'],
    counted: 'ocpp_limit_total',
    run: unending(500, [version16], frameOf('[', { fin: false }), fragment),
  },
  {
    name: 'a message whose rest never comes, 500',
    site: 'impatient',
    ends: ['ws 1008'],
    counted: 'ocpp_limit_total',
    run: unending(500, [version16], frameOf('[', { fin: false })),
  },
  {
    name: 'TLS: half a handshake, 2,000',
    site: 'tls',
    ends: ['closed'],
    counted: 'ocpp_refused_total',
    run: bare(silent(2_000, halfHello)),
  },
  {
    name: 'TLS, slowloris: a handshake, a byte a second, 2,000',
    site: 'tls',
    ends: ['closed'],
    counted: 'ocpp_refused_total',
    run: bare(silent(2_000, halfHello, 'x')),
  },
  {
    name: 'TLS: abandoned after the handshake, 2,000',
    site: 'tls',
    ends: ['closed', 'http 408'],
    run: silent(2_000, ''),
  },
  {
    name: 'TLS, slowloris: a head, a byte a second, 2,000',
    site: 'tls',
    ends: ['closed', 'http 408'],
    run: silent(2_000, 'GET /ocpp/x HTTP/1.1\r\nX: ', 'x'),
  },
  {
    name: 'TLS: handshakes, each abandoned at once',
    site: 'tls',
    ends: ['open'],
    run: (target, ends) =>
      repeat(50, target.until, async () => {
        const socket = dial(target, ends)
        await ready(socket, true)
        hangUp(socket)
      }),
  },
  {
    name: 'TLS, two names: hellos in one-byte records, their end byte by byte',
    site: 'names',
    ends: ['open', 'closed'],
    isShort: true,
    counted: 'ocpp_refused_total',
    run: (target, ends) =>
      repeat(20, target.until, async () => {
        const socket = dial({ ...target, isTls: false }, ends)
        await ready(socket, false)
        socket.setNoDelay(true).write(crumbs.subarray(0, -3_000))
        for (const byte of crumbs.subarray(-3_000, -2_900)) {
          socket.write(Buffer.from([byte]))
          await setImmediate()
        }
        hangUp(socket)
      }),
  },
  {
    name: 'TLS: bytes that are no handshake',
    site: 'tls',
    ends: ['closed'],
    counted: 'ocpp_refused_total',
    run: (target, ends) =>
      repeat(50, target.until, async () => {
        const socket = dial({ ...target, isTls: false }, ends)
        socket.write('GET / HTTP/1.1\r\n\r\n')
        await gone(socket)
      }),
  },
]
