/**
 * Reads a file that an operator may replace at any time. A FIFO, a device or a socket in its place is an error at once:
 * to open a FIFO would wait for a writer, and to read `/dev/zero` would never end.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'

/** Room for 100,000 stations in `ocpp_auth_file`. What is read is parsed, which holds the event loop. */
export const maxFileMiB = 32

const flags = constants.O_RDONLY | constants.O_NONBLOCK

/** Rejects as `readRegularFileSync` throws. */
export async function readRegularFile(file: string): Promise<string> {
  const handle = await open(file, flags).catch(rethrow)
  try {
    assertReadable(await handle.stat())
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Follows symlinks. Throws for anything but a regular file of `maxFileMiB` at most; the caller names the file. */
export function readRegularFileSync(file: string): string {
  const descriptor = openNow(file)
  try {
    assertReadable(fstatSync(descriptor))
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}

function openNow(file: string): number {
  try {
    return openSync(file, flags)
  } catch (error) {
    return rethrow(error)
  }
}

function assertReadable(stats: Stats): void {
  if (!stats.isFile()) throw new Error(notRegular)
  if (stats.size > maxFileMiB * 2 ** 20) throw new Error(`it is larger than ${maxFileMiB} MiB`)
}

/** A socket cannot be opened. */
function rethrow(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === 'ENXIO') throw new Error(notRegular, { cause: error })
  throw error
}

const notRegular = 'it is not a regular file'
