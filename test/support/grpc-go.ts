/**
 * A real server of grpc-go, the library of most gRPC servers, in front of an app of the test's: `grpc-go/main.go`.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder } from './cache.ts'
import { installPackages, openProcess, run } from './process.ts'

const source = fileURLToPath(new URL('grpc-go/main.go', import.meta.url))
const folder = cacheFolder('grpc-go')
const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16)
const program = join(folder, digest)

const debianPackages = ['golang-go', 'golang-google-grpc-dev']
/** Debian's packages are compiled as they are, nothing is fetched. */
const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(folder, 'cache'), GOFLAGS: '-trimpath' }

/** Builds the server into the user's cache folder if it is missing; takes half a minute the first time. */
export async function installGrpcGo(): Promise<void> {
  if (existsSync(program)) return
  await installPackages(...debianPackages)
  await mkdir(folder, { recursive: true })
  // Test files that run in parallel may all build it.
  const built = `${program}.${process.pid}`
  const { code, stdout, stderr } = await run('go', ['build', '-o', built, source], { env })
  if (code !== 0)
    throw new Error(`grpc-go was not built; on Debian it needs ${debianPackages.join(', ')}.\n${stdout}${stderr}`)
  await rename(built, program)
}

export interface GrpcGo {
  /** For `rpc_host`. */
  readonly host: string
  close(): Promise<void>
}

/**
 * Resolves when it listens, on 127.0.0.1.
 *
 * @param app `host:port`
 * @param maxConnectionAge in Go's words, such as `1s`, after which a connection gets GOAWAY; `0` for never
 */
export async function openGrpcGo(app: string, maxConnectionAge = '0'): Promise<GrpcGo> {
  await installGrpcGo()
  const server = openProcess(program, [`--app=${app}`, `--max-connection-age=${maxConnectionAge}`])
  try {
    const line = await server.line(/^listens at /)
    return { host: line.slice('listens at '.length), close: () => server.close() }
  } catch (error) {
    await server.close()
    throw error
  }
}
