/**
 * Serial numbers, and the placeholders that stations send in their place. Two stations with the same placeholder would
 * share the app's stream, and each command would reach both.
 *
 * Pure: imports nothing outside `ocpp/`.
 */

type Placeholder = {
  /** Matches the whole value in lower case, without white space, quotes and brackets around it, or a full stop behind it. */
  readonly pattern: RegExp
  readonly why: string
}

/** Only what cannot be a serial number: a station whose real one is skipped gets another `sn`. */
export const placeholders: readonly Placeholder[] = [
  { pattern: /^[^\p{L}\p{N}]*$/u, why: 'no letter and no digit: empty, blank, a dash, question marks' },
  { pattern: /^(0x)?(0|[^\p{L}\p{N}])+$/u, why: 'zeros only: a counter, MAC address or UUID that was never set' },
  { pattern: /^(n|s\/?n)[-_ :]?0+$/, why: 'a prefix before a number that was never set' },
  { pattern: /^x(x|[^\p{L}\p{N}])*$/u, why: 'a template that nobody filled in' },
  { pattern: /^(f{4,}|(ff[-:.]){3,}ff)$/, why: 'erased flash memory, as hex digits' },
  { pattern: /^[ÿ\ufffd]+$/, why: 'erased flash memory, as text' },
  { pattern: /^(n[./\\]?[ak]|n[./\\]d)$/, why: 'not applicable, not available, not known, no data' },
  { pattern: /^-1$/, why: 'an error code' },
  {
    pattern:
      /^((not|un)[-_ ]?(available|applicable|known|specified|set|defined|assigned|provided|configured|present|found|supported)|missing)$/,
    why: 'the same in words',
  },
  { pattern: /^(null|nil|none|undefined|nan)$/, why: "a programming language's word for no value" },
  { pattern: /^object object$/, why: 'an object of JavaScript as a text' },
  {
    pattern: /^(empty|blank|default|default string|invalid|tbd|todo|to be filled by o\.e\.m)$/,
    why: 'what a vendor left in',
  },
  { pattern: /^string$/, why: 'the example value of an API description' },
  {
    pattern: /^(s\/?n|((no|meter|charge ?point|charge ?box|system|device)[-_ ]?)?serial([-_ ]?(number|no))?)$/,
    why: 'the name of the field, or that there is none',
  },
]

/** In characters, far above every schema's limit. A limit is needed because each call to the app carries the number. */
const maxLength = 255

export function isPlaceholder(value: string): boolean {
  const text = textOf(value)
  return placeholders.some(({ pattern }) => pattern.test(text))
}

/** What the patterns match. */
export function textOf(value: string): string {
  return value
    .trim()
    .toLowerCase()
    .replace(/^["'(<[{]+|["')>\]}.]+$/g, '')
}

/** The first of the named fields that holds a serial number; `null` if none does. */
export function firstSerialNumber(fields: Readonly<Record<string, unknown>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string' && value.length <= maxLength && !isPlaceholder(value)) return value
  }
  return null
}
