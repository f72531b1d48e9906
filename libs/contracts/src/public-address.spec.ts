import { describe, expect, it } from '@jest/globals';
import { addressInHost, isPublicAddress, isPublicName, parsePublicUrl } from './public-address.js';

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
    ["Azure's wire server", '168.63.129.16'],
    ["Alibaba's metadata service", '100.100.100.200'],
    ["Oracle's metadata service", '192.0.0.192'],
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

describe('a name that may be called for a customer', () => {
  it.each(['example.com', 'EXAMPLE.com.', 'a.b.example', 'svc.example.com', 'internal.example.com', 'xn--bcher-kva.example', 'metadata.example.com'])('is a public one: %s', (name) => {
    expect(isPublicName(name)).toBe(true);
  });

  it.each([
    'localhost', 'LOCALHOST.', 'a.localhost', 'metadata', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.', 'KUBERNETES.DEFAULT.SVC',
    'kubernetes.default.svc.cluster.local', 'dns.kube-system', 'vault.service.consul', 'active.vault.service.consul', 'metadata.google.internal', 'metadata.google.internal.',
    'ip-10-0-0-1.ec2.internal', 'host.docker.internal', 'printer.local', 'nas.lan', 'router.home.arpa', 'metadata.goog', 'metadata.tencentyun.com', '10.0.0.1.nip.io',
    '169-254-169-254.sslip.io', 'localtest.me', 'a.localtest.me', 'example.com..', '.example.com', 'a..b', '', '.',
  ])('is not one of inside, of a cluster or a cloud: %s', (name) => {
    expect(isPublicName(name)).toBe(false);
  });
});

describe('a public URL', () => {
  it('is read alike however often it is read', () => {
    const read = Array.from({ length: 20_000 }, () => parsePublicUrl('http://bücher.example/ä'));
    expect(new Set(read)).toEqual(new Set(['http://xn--bcher-kva.example/%C3%A4']));
  });

  it.each([
    ['https://example.com/a.png', 'https://example.com/a.png'],
    ['http://8.8.8.8/a', 'http://8.8.8.8/a'],
    ['https://[2606:4700::1111]/a', 'https://[2606:4700::1111]/a'],
    ['https://example.com.:8443/a?b#c', 'https://example.com.:8443/a?b'],
    // curl reads this as a request to 127.0.0.1 by the user `x.com\\`.
    ['http://x.com\\@127.0.0.1/', 'http://x.com/@127.0.0.1/'],
    ['http:\\\\x.com\\a', 'http://x.com/a'],
    ['http://x.com#@127.0.0.1/', 'http://x.com/'],
    ['http://x.com?@127.0.0.1/', 'http://x.com/?@127.0.0.1/'],
    ['  ht\ntp://exa\tmple.com/a\r ', 'http://example.com/a'],
    ['HTTP://BÜCHER.example/ä', 'http://xn--bcher-kva.example/%C3%A4'],
    ['http:example.com', 'http://example.com/'],
    ['https:///example.com/a', 'https://example.com/a'],
    ['http://example.com:80/', 'http://example.com/'],
    ['http://example.com:443/', 'http://example.com:443/'],
    ['http://ⓔxample.com/', 'http://example.com/'],
  ])('is passed on as the parser reads it: %j', (text, url) => {
    expect(parsePublicUrl(text)).toBe(url);
    expect(parsePublicUrl(url)).toBe(url);
  });

  it.each([
    'http://localhost/a', 'http://LOCALHOST./a', 'http://metadata/a', 'http://kubernetes.default.svc/', 'http://vault.service.consul:8500/v1',
    'http://127.0.0.1/a', 'http://127.1/a', 'http://2130706433/a', 'http://0x7f.0.0.1/a', 'http://0x7f000001/', 'http://0177.0.0.1/a', 'http://017700000001/', 'http://127.0.0.1./a',
    'http://１２７.０.０.１/', 'http://127。0。0。1/', 'http://①②⑦.⓪.⓪.①/', 'http://0.0.0.0/a', 'http://0/', 'http://10.1.2.3/a', 'http://172.31.255.255/a', 'http://192.168.1.1/a',
    'http://169.254.169.254/latest/meta-data', 'http://2852039166/', 'http://168.63.129.16/metadata', 'http://0xa83f8110/', 'http://100.100.100.200/', 'http://100.64.0.1/a',
    'http://255.255.255.255/a', 'http://192.88.99.1/', 'http://[::1]/a', 'http://[::ffff:127.0.0.1]/a', 'http://[::ffff:a9fe:a9fe]/', 'http://[64:ff9b::7f00:1]/a', 'http://[fd00::1]/a',
    'http://[fd00:ec2::254]/', 'http://[fe80::1]/a', 'http://[2002:7f00:1::]/a', 'http://[2001:db8::1]/', 'http://[3fff::1]/', 'http://user@example.com/a',
    'http://:secret@example.com/a', 'http://example.com@127.0.0.1/', 'http://127.0.0.1#@example.com/', 'http://127.0.0.1\\@example.com/', 'http://example.com:22/', 'http://example.com:25/',
    'http://example.com:0/', 'file:///etc/passwd', 'ftp://example.com/a', 'gopher://example.com/', 'javascript:alert(1)', 'blob:http://example.com/a', '//example.com/a', 'cat.png', '',
    'http://', 'http://%00/', 'http://a b/', `https://example.com/${'a'.repeat(8192)}`, `https://example.com/${'ä'.repeat(2_000)}`,
  ])('is none: %.60j', (text) => {
    expect(parsePublicUrl(text)).toBeNull();
  });
});
