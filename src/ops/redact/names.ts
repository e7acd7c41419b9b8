/**
 * Which names stand for a secret: of members, of configuration keys and variables, and in texts.
 *
 * Pure. They are words and not a list of OCPP's names, because vendors make up their own. What is masked: tags and
 * tokens of drivers and all that identifies a driver as they do, keys and passwords, certificates and what carries one.
 */

/** A key, wherever the word stands in a name or text. */
const keyWord = 'authorizationKey|password|passphrase|passwd|psk|secret|credential|simPin'

/** Words at the end of a name. What follows them tells something about the secret: `idTokenInfo`, `certificateType`. */
const ending = [
  'tag|token|rfid|card(?:_?(?:number|id|uid))?|emaid|evccid|vehicleId|groupId|customerIdentifier|pspRef',
  '(?<=[a-z_-])(?<!(?:public|configuration|unknown)[_-]?)key(?!s)|pin|pwd|cookie|(?<![a-z])authorization',
  'cert|certificate|csr|exiRequest|exiResponse|ocspResult|iso15118CertificateHashData',
  // Signed meter values have the tag of the driver in them.
  'signedMeterData',
].join('|')

/** No bypass, and not the stop reason MasterPass. */
const pass = '(?<!by|com|master)pass'

const KEY_WORD = new RegExp(keyWord, 'i')
const SECRET_NAME = new RegExp(`(?:${ending})s?$|${pass}$|certificateChain$|${keyWord}`, 'i')

/**
 * A name and its value, as in `idTag=04A2`, `<token>04A2`, `tag -> 04A2`, JSON in a string, or JSON in a string of
 * that; `tag 04A2` and `tag is 04A2`, where the value has a digit; a key and any word behind it; an `Authorization`
 * header, PEM, or a signed meter value.
 * No part of the pattern can read far from more than one start.
 */
const SECRET_TEXT = new RegExp(
  `(?:${ending}|certificateChain|${keyWord})s?` +
    `(?:[\\\\"'\\s]*(?:[:=>]|->)|[\\\\"']+\\s*,\\s*[\\\\"']|\\s+(?:is\\s+)?[^\\s\\d]*\\d)` +
    `|${pass}(?:[\\\\"']+\\s*[:=>]|=)` +
    `|(?:${keyWord}|bearer)\\s+\\S|-----BEGIN|^OCMF\\|`,
  'i',
)

/** Each match of the pattern above has one; most values of OCPP have none, and are done with. */
const SEPARATOR = /[\s:=>|,]/

/** Whether the value of a member, of a configuration key or of a variable is secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name)
}

/** Whether a text has a secret beside its name. A name alone is none. */
export function hasSecret(text: string): boolean {
  return SEPARATOR.test(text) && SECRET_TEXT.test(text)
}

/** Whether a text names a key. */
export function namesKey(text: string): boolean {
  return KEY_WORD.test(text)
}
