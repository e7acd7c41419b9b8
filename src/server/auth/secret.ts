/**
 * The key that a station sends in HTTP Basic, as bytes, however it is spelled.
 *
 * Pure but for `Buffer`.
 * Spec: RFC 7617; OCPP 1.6 security white paper A00.FR.204 to 206, OCPP 2.0.1 Part 2 A00.FR.204 to 207.
 */

/** In bytes; a key has at most 64 characters (2.1), which as hexadecimal digits are 128. */
export const maxKeyBytes = 256

/**
 * The bytes of a key. 1.6 configures hexadecimal digits and wants the bytes behind them in the header; stations that
 * send the digits exist, and those that send a 2.x password as digits. So digits stand for their bytes, in any key, and
 * also where these bytes are digits themselves: the bytes have the same secret as their digits.
 */
export function secretOf(key: Buffer): Buffer {
  const bytes = bytesOfDigits(key)
  return bytes === null ? key : secretOf(bytes)
}

/** The bytes of a key in hexadecimal digits, as 1.6 configures it; `null` for any other key. */
export function bytesOfDigits(key: Buffer): Buffer | null {
  const text = key.toString('latin1')
  return /^(?:[\da-f]{2}){8,64}$/i.test(text) ? Buffer.from(text, 'hex') : null
}

/**
 * Whether a station can prove that it has this key, whether it sends the text or the bytes of its hexadecimal digits. A
 * key that no version allows may not: seven bytes and their 14 digits are two secrets here.
 */
export function isRecognizable(text: string): boolean {
  const key = Buffer.from(text)
  const isOfDigits = /^(?:[\da-f]{2})+$/i.test(text)
  return key.length > 0 && key.length <= maxKeyBytes && (!isOfDigits || bytesOfDigits(key) !== null)
}

/**
 * The secret in an Authorization header; `null` for another scheme or user, an empty key, and what is not base64. The
 * user is the station's identity, which in 1.6 may hold a colon.
 */
export function secretIn(authorization: string, stationId: string): Buffer | null {
  const [, encoded] = /^basic +([a-z\d+/]+={0,2}) *$/i.exec(authorization) ?? []
  if (encoded === undefined) return null
  const credentials = Buffer.from(encoded, 'base64')
  const user = Buffer.from(`${stationId}:`)
  if (!credentials.subarray(0, user.length).equals(user)) return null
  const key = credentials.subarray(user.length)
  return key.length === 0 || key.length > maxKeyBytes ? null : secretOf(key)
}
