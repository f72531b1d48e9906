import { describe, expect, it } from '@jest/globals';
import { clientAddressOf, parseNetworks } from './client-address.js';

const proxies = parseNetworks('10.0.0.0/8, 127.0.0.1, fd00::/8');

describe("a client's address", () => {
  it.each([
    ['is the connection’s without a proxy, whatever a header says', '9.9.9.9', '1.2.3.4', '9.9.9.9'],
    ['is what a proxy of ours wrote', '10.0.0.1', '1.2.3.4', '1.2.3.4'],
    ['is what the outermost proxy of ours wrote', '10.0.0.1', '6.6.6.6, 1.2.3.4, 10.0.0.2', '1.2.3.4'],
    ['is not what a stranger made up before it', '10.0.0.1', 'nonsense, 1.2.3.4', '1.2.3.4'],
    ['is the proxy’s where it wrote nothing that is an address', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['is an IPv4 address also by an IPv6 socket', '::ffff:9.9.9.9', undefined, '9.9.9.9'],
    ['may be an IPv6 address', 'fd00::1', '2001:db8::7', '2001:db8::7'],
  ])('%s', (_name, remote, forwardedFor, expected) => expect(clientAddressOf(remote, forwardedFor, proxies)).toBe(expected));
});
