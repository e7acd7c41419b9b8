/**
 * The admin API on a free port, over stations that a test controls.
 */
import type { TestContext } from 'node:test'
import { openAdmin, type Admin, type AdminSettings } from '../../src/admin/open.ts'
import type { Counts } from '../../src/admin/ports.ts'
import type { OutboxAdmin } from '../../src/session/ports.ts'
import { adminClient, type AdminClient } from '../support/admin.ts'
import { FakeWorld } from '../support/fakes.ts'
import { keepUntil } from '../support/keep.ts'
import { openSchemas } from '../../src/validation/schemas.ts'

type Setting = Partial<AdminSettings> & {
  readonly outbox?: OutboxAdmin | null
  /** Lines of the log. */
  readonly warnings?: readonly string[]
  readonly counts?: Partial<Counts>
}

const noCounts: Counts = {
  received: 0,
  sent: 0,
  errors: 0,
  rpcCalls: 0,
  rpcErrors: 0,
  rpcDurations: { seconds: 0, inBuckets: [0, 0], bounds: [1] },
}

export type Opened = {
  readonly world: FakeWorld
  readonly admin: Admin
  readonly url: string
  readonly client: (token: string | null) => AdminClient
}

/** Real timers: the clock of the fakes stands still. */
export async function openFakeAdmin(
  t: TestContext,
  { outbox = null, warnings = [], counts = {}, ...settings }: Setting = {},
): Promise<Opened> {
  const world = new FakeWorld(t)
  t.mock.timers.reset()
  const admin = await openAdmin(
    {
      host: '127.0.0.1',
      port: 0,
      token: null,
      readToken: null,
      logsAll: false,
      isSensitive: false,
      history: 0,
      ...settings,
    },
    {
      stations: world.hub,
      outbox,
      world,
      verboseLog: world.log,
      facts: {
        version: '1.2.3',
        nodeId: 'node',
        callTimeoutMs: 1_000,
        options: { secret: '***', port: '8080' },
        readiness: () => ({ rpc: true }),
        rpc: () => ({ away: false, capacity: 28, pending: 0 }),
        disconnects: () => 0,
        counts: () => ({ ...noCounts, ...counts }),
        warnings: () => warnings,
        schemaOf: (...asked) => openSchemas().schemaOf(...asked),
      },
      onTrace: trace => (world.trace = trace),
      onEvents: take => (world.events = take),
    },
  )
  keepUntil(close => t.after(close))(admin)
  const url = `http://127.0.0.1:${admin.port}`
  return { world, admin, url, client: token => adminClient(url, token) }
}
