import { expect, test } from '@jest/globals';
import { parseImageUrl, parseMediaData } from './media-url.js';

test.each(['data:image/png;base64,aGk=', `data:image/svg+xml;base64,${'a'.repeat(1_000_000)}`, 'https://example.com/a.png'])('%.60s is an image', (text) => {
  expect(parseImageUrl(text)).toBe(text);
});

test.each(['data:text/html;base64,aGk=', 'data:image/png,hi', ' data:image/png;base64,aGk=', 'aGk=', 'http://127.0.0.1/a', 'cat.png', ''])('%.60s is none', (text) => {
  expect(parseImageUrl(text)).toBeNull();
});

test.each(['', 'aGk=', '//uQxAAA', '/9j/4AAQ', 'a'.repeat(1_000_000), 'data:application/pdf;base64,aGk=', 'data:;base64,aGk=', 'data:audio/wav;codecs=1;base64,aGk=', 'https://example.com/a.pdf'])(
  '%.60s is the bytes of a file',
  (text) => {
    expect(parseMediaData(text)).toBe(text);
  },
);

test.each(['http://127.0.0.1/a', ' http://127.0.0.1/a', '\nhttp://kubernetes.default.svc/', 'file:///etc/passwd', '\\\\10.0.0.1\\a', 's3://bucket/key', 'data:text/html,<script>'])(
  '%j is not: a server would look it up',
  (text) => {
    expect(parseMediaData(text)).toBeNull();
  },
);

test('an address is passed on as the parser reads it', () => {
  expect(parseImageUrl('http://x.com\\@127.0.0.1/')).toBe('http://x.com/@127.0.0.1/');
  expect(parseMediaData('http://x.com\\@127.0.0.1/')).toBe('http://x.com/@127.0.0.1/');
});
