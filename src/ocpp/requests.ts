/**
 * The parts of a request that the answer for a silent app depends on.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP 2.0.1 and 2.1 Part 2.
 */
import { isObject, jsonText, parseObject, type JsonText } from './json.ts'

/** Whether an Authorize asks about certificates, so that the answer must include their status (C07.FR.13 to 17). */
export function asksAboutCertificates(authorize: JsonText): boolean {
  const request = parseObject(authorize)
  return 'certificate' in request || 'iso15118CertificateHashData' in request
}

/**
 * Whether a TransactionEvent has an idToken, so that its status is mandatory (E01.FR.12, E02.FR.02, E03.FR.02,
 * C12.FR.03). `prescribed`: the spec determines the status (C02.FR.02).
 */
export function tokenOf(transactionEvent: JsonText): 'none' | 'prescribed' | 'open' {
  const { idToken } = parseObject(transactionEvent)
  if (idToken === undefined || idToken === null) return 'none'
  return isObject(idToken) && idToken['type'] === 'NoAuthorization' ? 'prescribed' : 'open'
}

/** The answer that accepts a VAT number and repeats the fields it must repeat; `null` if the number cannot be read. */
export function acceptedVatNumber(validation: JsonText): JsonText | null {
  const { vatNumber, evseId } = parseObject(validation)
  if (typeof vatNumber !== 'string' || vatNumber.length > 20) return null
  const isEvse = typeof evseId === 'number' && Number.isInteger(evseId) && evseId >= 0
  return jsonText({ status: 'Accepted', vatNumber, ...(isEvse ? { evseId } : {}) })
}
