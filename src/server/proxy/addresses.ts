/**
 * IP addresses: how they are written, and which of them are trusted proxies.
 */
import { BlockList, isIP, SocketAddress } from 'node:net'

/** An address in its one spelling, IPv4 without the prefix of a dual-stack socket; `null` for anything else. */
export function canonicalAddress(text: string): string | null {
  const version = isIP(text)
  if (version === 0 || text.includes('%')) return null
  return version === 4 ? text : new SocketAddress({ address: text, family: 'ipv6' }).address.replace(/^::ffff:/, '')
}

/** @param networks in CIDR notation; an address without a prefix length is one host */
export function networksOf(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => false
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const [family, most] = isIP(address) === 6 ? (['ipv6', 128] as const) : (['ipv4', 32] as const)
    list.addSubnet(address, bits === undefined ? most : Number(bits), family)
  }
  return address => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
