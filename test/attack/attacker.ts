/**
 * The attackers' process: runs one attack of `attacks.ts` for so long, and prints how its connections ended. It gives way
 * to the stations whose answers are measured on the same machine.
 *
 *   attacker.ts NAME '{"port":1,"ms":1000,…}'
 */
import { setPriority } from 'node:os'
import { attacks } from './attacks.ts'
import { Ends, type Target } from './connections.ts'

const [name = '', target = '{}'] = process.argv.slice(2)
const attack = attacks.find(each => each.name === name)
if (attack === undefined) throw new Error(`no attack is called ${name}`)

setPriority(19)
const ends = new Ends()
const { ms, ...rest } = JSON.parse(target) as Omit<Target, 'until'> & { readonly ms: number }
await attack.run({ ...rest, until: performance.now() + ms }, ends)
process.stdout.write(`ends ${JSON.stringify(ends.counts)}\n`)
process.exit(0)
