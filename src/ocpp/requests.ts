/**
 * What a silent answer depends on in the request that it answers.
 *
 * Pure: imports nothing outside `ocpp/`.
 * Spec: OCPP 2.0.1 and 2.1 Part 2.
 */
import { isObject, jsonText, parseObject, type JsonText } from './json.ts'

/** Whether an Authorize asks about certificates, whose status the answer then has to hold (C07.FR.13 to 17). */
export function asksAboutCertificates(authorize: JsonText): boolean {
  const request = parseObject(authorize)
  return 'certificate' in request || 'iso15118CertificateHashData' in request
}

/**
 * Whether a TransactionEvent has an idToken, whose status is then mandatory (E01.FR.12, E02.FR.02, E03.FR.02,
 * C12.FR.03), and `prescribed` where the spec leaves no choice of it (C02.FR.02).
 */
export function tokenOf(transactionEvent: JsonText): 'none' | 'prescribed' | 'open' {
  const { idToken } = parseObject(transactionEvent)
  if (idToken === undefined || idToken === null) return 'none'
  return isObject(idToken) && idToken['type'] === 'NoAuthorization' ? 'prescribed' : 'open'
}

/** The answer that takes a VAT number for valid, with what it has to say again; `null` where none can be read. */
export function acceptedVatNumber(validation: JsonText): JsonText | null {
  const { vatNumber, evseId } = parseObject(validation)
  if (typeof vatNumber !== 'string' || vatNumber.length > 20) return null
  const isEvse = typeof evseId === 'number' && Number.isInteger(evseId) && evseId >= 0
  return jsonText({ status: 'Accepted', vatNumber, ...(isEvse ? { evseId } : {}) })
}
