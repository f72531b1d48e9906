import { describe, expect, it } from '@jest/globals';
import { proxyFor } from './vendor-proxy.js';

const both = { http: 'http://proxy:3128', https: 'http://secure-proxy:3128' };

describe('the proxy towards a vendor', () => {
  it('is chosen by the scheme of the vendor’s address alone', () => {
    expect(proxyFor('http://vendor.example', { ...both, none: undefined })).toBe(both.http);
    expect(proxyFor('https://vendor.example', { ...both, none: undefined })).toBe(both.https);
    expect(proxyFor('https://vendor.example', { http: both.http, https: undefined, none: undefined })).toBeNull();
    expect(proxyFor('http://vendor.example', { http: undefined, https: both.https, none: undefined })).toBeNull();
  });

  it.each(['http://127.0.0.1:8084', 'http://127.9.9.9', 'http://localhost:8084', 'http://worker.localhost', 'http://[::1]:8084', 'http://[::ffff:127.0.0.1]:1'])('is never used for %s, which is this machine', (origin) => {
    expect(proxyFor(origin, { ...both, none: undefined })).toBeNull();
  });

  // As curl, Go and Python's requests read NO_PROXY.
  it.each<[origin: string, none: string, direct: boolean]>([
    ['https://vendor.example', 'vendor.example', true],
    ['https://VENDOR.example', 'Vendor.Example', true],
    ['https://api.vendor.example', 'vendor.example', true],
    ['https://api.vendor.example', '.vendor.example', true],
    ['https://api.vendor.example', '*.vendor.example', true],
    ['https://vendor.example', '.vendor.example', true],
    ['https://myvendor.example', 'vendor.example', false],
    ['https://vendor.example.org', 'vendor.example', false],
    ['https://vendor.example', 'a.example,vendor.example', true],
    ['https://vendor.example', 'a.example  vendor.example', true],
    ['https://vendor.example', ' , ', false],
    ['https://vendor.example', '*', true],
    ['https://vendor.example', 'vendor.example:443', true],
    ['https://vendor.example:8443', 'vendor.example:443', false],
    ['http://vendor.example', 'vendor.example:80', true],
    ['http://10.1.2.3:9000', '10.0.0.0/8', true],
    ['http://11.1.2.3:9000', '10.0.0.0/8', false],
    ['http://10.1.2.3:9000', '10.1.2.3', true],
    ['http://10.1.2.3:9000', '10.1.2.3:9001', false],
    ['http://10.1.2.3:9000', '1.2.3', false],
    ['http://[fd00::7]:9000', 'fd00::/8', true],
    ['http://[fd00::7]:9000', '[fd00::7]:9000', true],
    ['http://[fd00::7]:9000', 'fd00::7', true],
    ['http://[fd00::7]:9000', '10.0.0.0/8', false],
    ['http://vendor.example', '10.0.0.0/99', false],
  ])('of %s with NO_PROXY=%s', (origin, none, direct) => {
    expect(proxyFor(origin, { http: 'http://proxy', https: 'http://proxy', none }) === null).toBe(direct);
  });
});
