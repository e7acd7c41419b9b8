/** Stations that connect to the bridge itself. */
import { Peers } from '../../src/server/upgrade/peer.ts'

export const noProxies = { trustedProxies: [], proxyClientCert: null }

/** The settings of a listener without proxies in front. */
export const direct = { peers: new Peers(noProxies), proxyProtocol: false }
