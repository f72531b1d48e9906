import { expect, test } from '@jest/globals';
import { isAllowedImageUrl } from './image-url.js';

test.each([
  'https://example.com/a.png',
  'http://8.8.8.8/a',
  'https://[2606:4700::1111]/a',
  'https://example.com.:8443/a?b#c',
  'data:image/png;base64,aGk=',
  `data:image/svg+xml;base64,${'a'.repeat(1_000_000)}`,
])('%.60s may be handed to a lane', (url) => {
  expect(isAllowedImageUrl(url)).toBe(true);
});

test.each([
  'http://localhost/a',
  'http://LOCALHOST./a',
  'http://a.localhost/a',
  'http://metadata/a',
  'http://printer.local/a',
  'http://metadata.google.internal/a',
  'http://127.0.0.1/a',
  'http://127.1/a',
  'http://2130706433/a',
  'http://0x7f.0.0.1/a',
  'http://0177.0.0.1/a',
  'http://0.0.0.0/a',
  'http://10.1.2.3/a',
  'http://172.31.255.255/a',
  'http://192.168.1.1/a',
  'http://169.254.169.254/latest/meta-data',
  'http://100.64.0.1/a',
  'http://255.255.255.255/a',
  'http://[::1]/a',
  'http://[::ffff:127.0.0.1]/a',
  'http://[64:ff9b::7f00:1]/a',
  'http://[fd00::1]/a',
  'http://[fe80::1]/a',
  'http://[2002:7f00:1::]/a',
  'http://user@example.com/a',
  'file:///etc/passwd',
  'ftp://example.com/a',
  'data:text/html;base64,aGk=',
  'data:image/png,hi',
  'cat.png',
  '',
  `https://example.com/${'a'.repeat(8192)}`,
])('%.60s may not', (url) => {
  expect(isAllowedImageUrl(url)).toBe(false);
});
