/** Certificates for tests, made with openssl. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tls } from '../../src/server/tls/tls.ts'
import type { Access } from '../../src/server/upgrade/access.ts'
import { run } from './process.ts'

type Pair = { readonly cert: string; readonly key: string }

/** Lets every station in. */
export const anyAccess: Access = { profile: 0, checksKeys: false, certificateNames: 'cn', operator: null }

/** A listener's TLS, which asks for no certificate. */
export function tlsOf(...keyPairs: readonly Pair[]): Tls {
  return new Tls(() => ({ keyPairs, clients: null, isLegacy: false }))
}

/** A self-signed certificate and its key, both PEM. */
export async function makeKeyPair(san = 'IP:127.0.0.1'): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'ocpp-cable-keys-'))
  try {
    const { cert, key } = await openCa(folder, 'localhost', ['-addext', `subjectAltName=${san}`])
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

export type Issue = {
  /** As in `/CN=CP1/O=Operator`. */
  readonly subject: string
  readonly san?: string
  readonly usage?: 'clientAuth' | 'serverAuth'
  /** As openssl writes times; default: from a day ago for two days. */
  readonly from?: string
  readonly until?: string
  readonly rsa?: boolean
}

/** Paths of PEM files. */
export type Files = { readonly cert: string; readonly key: string }

export type Ca = Files & {
  /** Paths of a new certificate and its key. The same name is written over. */
  issue(name: string, issue: Issue): Promise<Files>
  revoke({ cert }: Files): Promise<void>
  /** The path of the revocation list as it is now. An expired one is of 2020. */
  crl(days?: number | 'expired'): Promise<string>
}

/** A certificate authority in a folder, which is made. Its own certificate is self-signed. */
export async function openCa(folder: string, name: string, extensions: readonly string[] = []): Promise<Ca> {
  mkdirSync(folder, { recursive: true })
  const at = (file: string): string => join(folder, file)
  const openssl = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await run('openssl', args, { cwd: folder })
    assert.equal(code, 0, stderr)
  }
  const [cert, key, config] = [at('ca.crt'), at('ca.key'), at('ca.cnf')]
  await openssl(
    ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...ec, ...extensions],
    ...['-keyout', key, '-out', cert],
  )
  writeFileSync(at('index.txt'), '')
  writeFileSync(config, configOf(folder))
  return {
    cert,
    key,
    issue: async (file, { subject, san, usage = 'clientAuth', from, until, rsa = false }) => {
      const made = { cert: at(`${file}.crt`), key: at(`${file}.key`) }
      const extension = [`extendedKeyUsage=${usage}`, ...(san === undefined ? [] : [`subjectAltName=${san}`])]
      writeFileSync(at('extensions'), extension.join('\n'))
      const kind = rsa ? ['-newkey', 'rsa:2048'] : ec
      await openssl('req', '-nodes', '-subj', subject, ...kind, '-keyout', made.key, '-out', at('request'))
      await openssl(
        ...['ca', '-batch', '-notext', '-config', config, '-in', at('request'), '-out', made.cert],
        ...['-extfile', at('extensions'), '-startdate', from ?? stamp(-1), '-enddate', until ?? stamp(1)],
      )
      return made
    },
    revoke: async ({ cert: revoked }) => openssl('ca', '-config', config, '-revoke', revoked),
    crl: async (days = 7) => {
      const times =
        days === 'expired'
          ? ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200108000000Z']
          : ['-crldays', String(days)]
      await openssl('ca', '-config', config, '-gencrl', ...times, '-out', at('crl.new'))
      copyFileSync(at('crl.new'), at('crl.pem'))
      return at('crl.pem')
    },
  }
}

function configOf(folder: string): string {
  return `[ca]
default_ca = this
[this]
database = ${folder}/index.txt
new_certs_dir = ${folder}
certificate = ${folder}/ca.crt
private_key = ${folder}/ca.key
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = optional
organizationName = optional
`
}

/** A time so many days from now. */
function stamp(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '')
}
