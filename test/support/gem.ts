/**
 * The real gem, serving gRPC and HTTP side by side (`test/contract/app.rb`).
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './ports.ts'
import { openProcess, type Process } from './process.ts'
import { bundleEnvOf, installRails } from './rails.ts'

const appFolder = fileURLToPath(new URL('../../examples/rails', import.meta.url))
const app = fileURLToPath(new URL('../contract/app.rb', import.meta.url))

/** The application secret, from which both sides derive the key of HTTP RPC. */
export const gemSecret = 'qwerty'

export interface GemApp {
  /** `host:port` of gRPC. */
  readonly grpc: string
  /** The URL of HTTP RPC. */
  readonly http: string
  readonly process: Process
  close(): Promise<void>
}

/**
 * @param env options of the gem, in addition to its addresses
 * @param script in Ruby, given the port of HTTP RPC; prints `the app takes calls`
 */
export async function openGemApp(env: Readonly<Record<string, string>> = {}, script = app): Promise<GemApp> {
  await installRails()
  const [grpcPort, httpPort] = [await freePort(), await freePort()]
  const process_ = openProcess('bundle', ['exec', 'ruby', script, String(httpPort)], {
    cwd: appFolder,
    env: {
      ...bundleEnvOf(join(appFolder, 'Gemfile')),
      RAILS_ENV: 'production',
      ANYCABLE_RPC_HOST: `127.0.0.1:${grpcPort}`,
      ANYCABLE_HTTP_RPC: 'true',
      ANYCABLE_SECRET: gemSecret,
      ANYCABLE_BROADCAST_ADAPTER: 'http',
      ...env,
    },
  })
  try {
    await process_.line(/the app takes calls/)
  } catch (error) {
    await process_.close()
    throw error
  }
  return {
    grpc: `127.0.0.1:${grpcPort}`,
    http: `http://127.0.0.1:${httpPort}/_anycable`,
    process: process_,
    close: () => process_.close(),
  }
}
