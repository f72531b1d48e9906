/** Values that nobody honest sends, for fuzzing what takes text and numbers. */
export const hostileTexts: readonly string[] = [
  '', ' ', '\0', 'a\0b', '\ud800', '\u202e', '%%%%', '%', '_', "' OR 1=1 --", "'; DROP TABLE organization; --", '\\', '"', '${7*7}', '{{7*7}}', '<script>alert(1)</script>', '=HYPERLINK("x")',
  '../../etc/passwd', 'null', 'undefined', 'NaN', 'Infinity', '-1', '1e400', '0x10', '٣', '99999999999999999999999999999999999999', '2026-02-30T00:00:00Z', '0000-00-00', '+275760-09-13T00:00:00Z',
  '00000000-0000-0000-0000-000000000000', 'bm90aGluZw', 'x'.repeat(10_000), '😀'.repeat(300), 'Europe/Berlin', '+01:00', 'http://169.254.169.254/', 'https://user:pass@example.com', 'javascript:alert(1)',
];

export const hostileNumbers: readonly unknown[] = [-1, 0, 2_147_483_647, -2_147_483_648, 1e9, 1.5, '1', true];
