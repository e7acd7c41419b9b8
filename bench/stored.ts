/**
 * Messages for the outbox of a `state_dir`, and directories for it.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MessageId } from '../src/ocpp/frame.ts'
import { jsonText } from '../src/ocpp/json.ts'
import type { OutboxMessage } from '../src/session/ports.ts'
import type { StationId } from '../src/translate/handshake.ts'
import { fail } from './print.ts'

/** The thread of a store. */
export const thread = new URL('../dist/store/worker.js', import.meta.url)
if (!existsSync(fileURLToPath(thread))) fail('There is no dist/: run `npm run build` first.')

/** A StopTransaction with meter values, of 500 bytes. */
export const payload = jsonText({ transactionId: 1, meterStop: 9, padding: 'x'.repeat(450) })

/** @param stations over how many stations the messages are spread */
export function messageOf(number: number, stations = 1_000): OutboxMessage {
  return {
    stationId: `CP${number % stations}` as StationId,
    version: 'ocpp1.6',
    id: `"${number}"` as MessageId,
    key: `StopTransaction-${String(number).padStart(22, '0')}`,
    content: String(number).padStart(44, '0'),
    action: 'StopTransaction',
    payload,
    attempts: 0,
    storedAt: Date.now(),
  }
}

/** @param parent by default the system's directory for temporary files */
export async function inDirectory<Result>(
  parent: string | undefined,
  run: (dir: string) => Promise<Result>,
): Promise<Result> {
  const dir = mkdtempSync(path.join(parent ?? tmpdir(), 'ocpp-cable-bench-'))
  try {
    return await run(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}
