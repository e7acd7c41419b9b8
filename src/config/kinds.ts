/**
 * The kinds of value that options have.
 *
 * Pure. Each kind reads the text of a flag or variable and the value of a TOML key, and writes a value that reads back
 * as the same.
 */
import { textOf, type Kind } from './option.ts'
import { isTable } from './toml.ts'

export const second = 1000
const minute = 60 * second
const hour = 60 * minute
export const day = 24 * hour

/** Node's timers overflow after 24 days; most options need no more than one day. */
const longestMs = day

export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB

/** Text that must match a pattern; by default, any text but the empty one. */
export function text(accepts = 'text', pattern = /./s, placeholder = '<text>'): Kind<string> {
  return scalar({
    placeholder,
    accepts,
    parse: given => (pattern.test(given) ? given : undefined),
    toToml: given => given,
  })
}

export const port = integer({ max: 65535 })
export const path = text('a path that starts with /', /^\/[^\s?#]*$/, '<path>')
export const file = text('a file path', /./s, '<file>')
export const hostName = text('a host name or an IP address', /^[^\s/]+$/, '<host>')

/** In lower case, as Node gives headers. */
export const headerName: Kind<string> = scalar({
  placeholder: '<header>',
  accepts: 'an HTTP header name, in any case',
  parse: given => (/^[\w!#$%&'*+.^`|~-]+$/.test(given) ? given.toLowerCase() : undefined),
  toToml: given => given,
})

export const secret = secretOf('text without control characters', /^\P{Cc}+$/u)

/** A secret that is sent as it is in an HTTP header. Other characters have no agreed encoding there (RFC 9110 §5.5). */
export const token = secretOf('printable ASCII characters, without a space at either end', /^[!-~]([ -~]*[!-~])?$/)

/**
 * Hidden in problems and in `--print-config`. `none` means no secret, and is not hidden. A mounted file often ends with
 * a line break, which is cut.
 */
function secretOf(accepts: string, pattern: RegExp): Kind<string> {
  return {
    ...scalar<string>({
      placeholder: '<secret>',
      accepts: `${accepts} (never shown)`,
      parse: given => {
        const line = given.replace(/\r?\n$/, '')
        return pattern.test(line) ? line : undefined
      },
      toToml: given => given,
    }),
    hides: given => given !== 'none',
  }
}

/** The spellings are those of Go's `strconv.ParseBool`. */
export const onOff: Kind<boolean> = {
  ...scalar<boolean>({
    placeholder: '',
    accepts: 'true or false',
    parse: given => booleans.get(given),
    toToml: given => given,
    tomlType: 'boolean',
  }),
  shape: 'switch',
}

const booleans = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map(given => [given, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map(given => [given, false] as const),
])

export function integer({ min = 0, max = Infinity } = {}): Kind<number> {
  return scalar({
    placeholder: '<number>',
    accepts: `a whole number${range(String(min), max === Infinity ? null : String(max))}`,
    parse: given =>
      /^\d+$/.test(given) ? within(Number(given), min, Math.min(max, Number.MAX_SAFE_INTEGER)) : undefined,
    toToml: given => given,
    tomlType: 'number',
  })
}

const msOf = new Map(Object.entries({ ms: 1, s: second, m: minute, h: hour }))

/**
 * A duration, in milliseconds.
 *
 * @param bare   the unit of a bare number; AnyCable's unit for an option that AnyCable has
 * @param minMs  the minimum
 * @param maxMs  the maximum
 */
export function duration({
  bare,
  minMs = 0,
  maxMs = longestMs,
}: {
  bare: 'ms' | 's'
  minMs?: number
  maxMs?: number
}): Kind<number> {
  return scalar({
    placeholder: '<duration>',
    accepts: `a duration (300ms, 5s, 2m, 1h)${range(writeDuration(minMs), writeDuration(maxMs))}; a bare number is ${bare === 's' ? 'seconds' : 'milliseconds'}`,
    parse: given => within(scaled(given, msOf, bare), minMs, maxMs),
    toToml: writeDuration,
    tomlType: 'number',
  })
}

const bytesOf = new Map(Object.entries({ B: 1, KiB, MiB }))

/** A size, in bytes. */
export function bytes({ min = 0, max = 1024 * MiB } = {}): Kind<number> {
  return scalar({
    placeholder: '<size>',
    accepts: `a size (65536, 64KiB, 1MiB)${range(String(writeBytes(min)), String(writeBytes(max)))}; a bare number is bytes`,
    parse: given => within(scaled(given, bytesOf, 'B'), min, max),
    toToml: writeBytes,
    tomlType: 'number',
  })
}

/** One of several words, compared case-insensitively. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Kind<Word> {
  return scalar({
    placeholder: `<${words.join('|')}>`,
    accepts: words.join(' or '),
    parse: given => words.find(word => word === given.toLowerCase()),
    toToml: given => given,
  })
}

/** A value, or `null` for the empty text. */
export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return {
    ...kind,
    accepts: `${kind.accepts}; empty for none`,
    parse: given => (given === '' ? null : kind.parse(given)),
    fromToml: (given, fault) => (given === '' ? null : kind.fromToml(given, fault)),
    toToml: given => (given === null ? null : kind.toToml(given)),
  }
}

/** A comma-separated list; in TOML, an array or the same list as a string. */
export function listOf<T>(item: Kind<T>, { min = 0, distinct = false } = {}): Kind<readonly T[]> {
  const all = (items: readonly (T | undefined)[]) => {
    const read = items.filter(each => each !== undefined)
    if (read.length < items.length || read.length < min) return undefined
    return distinct ? [...new Set(read)] : read
  }
  const parse = (given: string) => all(partsOf(given).map(part => item.parse(part)))
  return {
    placeholder: `${item.placeholder},…`,
    accepts: `a comma-separated list, each ${item.accepts}${min > 0 ? '; at least one' : ''}`,
    shape: 'many',
    parse,
    fromToml: (given, fault) => {
      if (typeof given === 'string') return parse(given)
      return Array.isArray(given) ? all(given.map(each => item.fromToml(each, fault))) : undefined
    },
    toToml: given => given.map(each => textOf(item, each)),
    hides: given => partsOf(given).some(part => item.hides(part)),
  }
}

const tag = text('name:value', /^(?!__)[A-Za-z_]\w*:[^\s,:;=|#\p{C}]+$/u, '<name:value>')
const tagList = listOf(tag)

/** Names with values. In TOML also a table of them, as AnyCable writes it. */
export const tags: Kind<Readonly<Record<string, string>>> = {
  ...tagList,
  accepts:
    'a comma-separated list, each name:value; a name has letters, digits and _, and begins with neither a digit nor __; a value has no space and none of , : ; = | #',
  parse: given => tagsOf(tagList.parse(given)),
  fromToml: (given, fault) => {
    const list = isTable(given) ? Object.entries(given).map(([name, value]) => `${name}:${String(value)}`) : given
    return tagsOf(tagList.fromToml(list, fault))
  },
  toToml: given => Object.entries(given).map(([name, value]) => `${name}:${value}`),
}

function tagsOf(list: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  const pairs = list?.map(each => each.split(':')).map(([name = '', value = '']) => [name, value] as const)
  return pairs && Object.fromEntries(pairs)
}

type Scalar<T> = Pick<Kind<T>, 'placeholder' | 'accepts' | 'parse' | 'toToml'> & {
  /** TOML's own type for the value, accepted besides a string. */
  readonly tomlType?: 'number' | 'boolean'
}

/** A kind of one value, which TOML writes in its own type, or as a string with the text that a flag takes. */
export function scalar<T>({ tomlType, ...kind }: Scalar<T>): Kind<T> {
  return {
    ...kind,
    shape: 'one',
    fromToml: given => (typeof given === 'string' || typeof given === tomlType ? kind.parse(String(given)) : undefined),
    hides: () => false,
  }
}

function partsOf(list: string): string[] {
  return list
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
}

/** Reads a whole number with a unit; the result is in the smallest unit. */
function scaled(given: string, units: ReadonlyMap<string, number>, bare: string): number | undefined {
  const [, digits, unit] = /^(\d+)([A-Za-z]*)$/.exec(given) ?? []
  const size = units.get(unit === undefined || unit === '' ? bare : unit)
  return digits === undefined || size === undefined ? undefined : Number(digits) * size
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}

function range(min: string, max: string | null): string {
  return max === null ? `, ${min} or more` : `, from ${min} to ${max}`
}

/** In the largest unit that gives a whole number: 90s rather than 1.5m. */
function writeDuration(ms: number): string {
  return ms === 0 ? '0s' : written(ms, msOf)
}

function writeBytes(size: number): string | number {
  return size % KiB === 0 && size > 0 ? written(size, bytesOf) : size
}

function written(value: number, units: ReadonlyMap<string, number>): string {
  const [unit, size] = [...units].findLast(([, each]) => value % each === 0) ?? ['', 1]
  return `${value / size}${unit}`
}
