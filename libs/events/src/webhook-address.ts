import ipaddr from 'ipaddr.js';

/**
 * Whether an address may be called for a customer: only what is reachable for everybody. Everything with a meaning of its own
 * (loopback, private, link-local and with it the metadata services of clouds, multicast, carriers' NAT, documentation, …) is
 * not, nor is an IPv4 address in the clothes of an IPv6 one. Ranges are those of IANA's special-purpose registries.
 */
export const isPublicAddress = (address: string): boolean => {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // What is not assigned for global use yet (RFC 4291 §2.4) counts as unicast to the library.
  return parsed.kind() === 'ipv4' || ipaddr.IPv6.parse('2000::').match(parsed as ipaddr.IPv6, 3);
};

/** The address in a URL's host, without its brackets; null for a name. */
export const addressInHost = (hostname: string): string | null => {
  const bare = hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname;
  return ipaddr.isValid(bare) ? bare : null;
};
