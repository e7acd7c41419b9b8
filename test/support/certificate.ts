/** Certificates for tests. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './process.ts'

/** A self-signed certificate for 127.0.0.1 and its key, both PEM. */
export async function makeKeyPair(): Promise<{ readonly cert: string; readonly key: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-keys-'))
  try {
    const files = { cert: join(folder, 'crt'), key: join(folder, 'key') }
    const { code, stderr } = await run('openssl', [
      ...['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', files.key, '-out', files.cert],
    ])
    assert.equal(code, 0, stderr)
    return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
