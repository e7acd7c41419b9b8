/**
 * Masks the user and password in URLs, as in the `location` of GetDiagnostics, and the signature of presigned ones.
 *
 * Pure. Any character may be escaped as in JSON (Rails writes `&` as `\u0026`), and the text may be JSON in a string.
 * Takes time linear in the length of the text.
 */

/** Up to the end of a JSON text or to white space. An escaped quote counts as a part: it may be one of the password. */
const URL_TEXT = /((?::|\\u003a)(?:\\*\/|\\+u002f){2})([^\s"\\]*(?:\\[^][^\s"\\]*)*)/gi
const SLASH = /\/|\\u002f/i
const USER_MARK = /[:@]|\\u003a|\\u0040/i
const SIGNATURE = /((?:(?<![a-z])sig|signature)(?:=|\\u003d))[^&#\s"\\]*/gi

/**
 * The user and password end at the last `@`: a password may contain `@` and slashes. Without an `@` or a colon
 * before the first slash there is no password, and an `@` belongs to the path.
 */
export function maskUrls(text: string): string {
  return text.replace(URL_TEXT, (url: string, start: string, rest: string) => {
    const end = Math.max(endOf(rest, '@'), endOf(rest, '\\u0040'))
    const slash = rest.search(SLASH)
    const authority = slash === -1 ? rest : rest.slice(0, slash)
    const shown = end > 0 && USER_MARK.test(authority) ? `${start}***@${rest.slice(end)}` : url
    return shown.replace(SIGNATURE, '$1***')
  })
}

/** Whether a text has a URL with a user or a signature. */
export function hasUrlSecret(text: string): boolean {
  return maskUrls(text) !== text
}

function endOf(text: string, mark: string): number {
  const at = text.lastIndexOf(mark)
  return at === -1 ? 0 : at + mark.length
}
