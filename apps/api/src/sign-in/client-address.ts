import ipaddr from 'ipaddr.js';

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Addresses and networks with commas between them; throws where one is none. */
export const parseNetworks = (text: string): Network[] =>
  text.split(',').map((part) => (part.includes('/') ? ipaddr.parseCIDR(part.trim()) : [ipaddr.process(part.trim()), ipaddr.process(part.trim()).kind() === 'ipv4' ? 32 : 128]));

/**
 * The address of whoever asks. Each proxy writes behind X-Forwarded-For from whom it got the request, so the list is read from its end for as long
 * as proxies of ours wrote it; what stands before that, a stranger may have made up.
 */
export const clientAddressOf = (remote: string, forwardedFor: string | undefined, trusted: readonly Network[]): string => {
  const hops = [...(forwardedFor ?? '').split(',').map((hop) => hop.trim()), remote];
  let address = normal(remote) ?? remote;
  for (const hop of hops.reverse()) {
    const known = normal(hop);
    if (known === null) break;
    address = known;
    if (!isTrusted(known, trusted)) break;
  }
  return address;
};

/** An IPv4 address that came by an IPv6 socket is an IPv4 address. */
const normal = (text: string): string | null => (ipaddr.isValid(text) ? ipaddr.process(text).toString() : null);

const isTrusted = (address: string, trusted: readonly Network[]): boolean => {
  const parsed = ipaddr.process(address);
  return trusted.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
};
