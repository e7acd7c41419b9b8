/** Stations that connect to the bridge itself. */
export const noProxies = { trustedProxies: [], proxyClientCert: null }
