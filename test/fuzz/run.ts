/**
 * `npm run fuzz`: wrong messages against the built program, each run with other ones.
 *
 *   --frames=200000     how many
 *   --seed=1            the run to have again, as a failure prints it
 *   --only=1234-1240    of that run these messages alone
 *   --flag=--NAME=…     a flag for the bridge; as often as need be
 *   --streams=1000000   how many streams of wrong bytes of the app's server, before the messages
 */
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'
import { playManyServerBytes } from './server-bytes.ts'

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
    flag: { type: 'string', multiple: true },
    streams: { type: 'string', default: '1000000' },
  },
})
const [first, last = first] = values.only?.split('-').map(Number) ?? []
const note = (text: string): boolean => process.stderr.write(`${text}\n`)
const startedAt = Date.now()

note(`seed ${values.seed}`)
try {
  const heaps = await playManyServerBytes(Number(values.seed), Number(values.streams))
  note(
    `${values.streams} streams of bytes; heap ${heaps.map(bytes => `${Math.round(bytes / 2 ** 20)} MB`).join(' -> ')}`,
  )
  const { sent, served, memory } = await fuzz({
    frames: Number(values.frames),
    seed: Number(values.seed),
    ...(first !== undefined && last !== undefined && { only: [first, last] }),
    flags: values.flag ?? [],
    note,
  })
  const [warm, end] = [memory.warm, memory.end].map(bytes => `${Math.round(bytes / 1024 / 1024)} MB`)
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  note(
    `${sent} messages in ${seconds} s; healthy stations had ${served} CALLs answered; memory ${warm ?? ''} -> ${end ?? ''}`,
  )
} catch (error) {
  note(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
