import { describe, expect, it } from '@jest/globals';
import { addressInHost, isPublicAddress } from './webhook-address.js';

describe('an address that may be called for a customer', () => {
  it.each(['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])('is one for everybody: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['this machine', '127.0.0.1'],
    ['all of this machine', '127.255.255.254'],
    ['any address', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['a private network', '10.0.0.1'],
    ['a private network', '172.16.0.1'],
    ['a private network', '172.31.255.255'],
    ['a private network', '192.168.1.1'],
    ['the metadata service of clouds', '169.254.169.254'],
    ["a carrier's network", '100.64.0.1'],
    ['a benchmark', '198.18.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '203.0.113.9'],
    ['the IETF', '192.0.0.1'],
    ['many', '224.0.0.1'],
    ['all', '255.255.255.255'],
    ['nobody yet', '240.0.0.1'],
    ['this machine', '::1'],
    ['any address', '::'],
    ['IPv4 in the clothes of IPv6', '::ffff:127.0.0.1'],
    ['IPv4 in the clothes of IPv6', '::ffff:a9fe:a9fe'],
    ['public IPv4 in the clothes of IPv6', '::ffff:1.1.1.1'],
    ['IPv4 behind a translator', '64:ff9b::7f00:1'],
    ['IPv4 behind a local translator', '64:ff9b:1::7f00:1'],
    ['IPv4 in the old compatible form', '::7f00:1'],
    ['IPv4 by 6to4', '2002:7f00:1::'],
    ['IPv4 by Teredo', '2001:0:7f00:1::'],
    ['a private network', 'fd00::1'],
    ["AWS's metadata service", 'fd00:ec2::254'],
    ['the link', 'fe80::1'],
    ['the link, with its interface', 'fe80::1%eth0'],
    ['the site of old', 'fec0::1'],
    ['many', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['nobody yet', '4000::1'],
    ['no address', 'localhost'],
    ['nothing', ''],
  ])('is not that of %s: %s', (_whose, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it('is found in the host of a URL however it is written there, and a name is none', () => {
    const addressOf = (url: string) => addressInHost(new URL(url).hostname);
    expect(addressOf('http://[::ffff:127.0.0.1]/')).toBe('::ffff:7f00:1');
    // The URL standard reads all of these as 127.0.0.1.
    for (const url of ['http://127.1/', 'http://0x7f.1/', 'http://2130706433/', 'http://0177.0.0.1/', 'http://127.0.0.1./']) expect(addressOf(url)).toBe('127.0.0.1');
    expect(addressOf('http://localhost/')).toBeNull();
    expect(addressOf('http://127.0.0.1.example.com/')).toBeNull();
  });
});
