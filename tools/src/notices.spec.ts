import { describe, expect, it } from '@jest/globals';
import { composeNotices } from './notices.js';

const lock = (packages: Record<string, object>): string => JSON.stringify({ packages: { '': { dependencies: { pg: '8.0.0' } }, ...packages } });
const pg = { version: '8.0.0', license: 'MIT' };

describe('third-party notices', () => {
  it('lists what is used and what that uses, without what only development needs', () => {
    const text = composeNotices(
      lock({
        'node_modules/pg': pg,
        'node_modules/pg/node_modules/split': { version: '1.0.0', license: 'ISC' },
        'node_modules/split/node_modules/pg': { version: '7.0.0', license: 'MIT' },
        'node_modules/jest': { version: '1.0.0', license: 'MIT', dev: true },
        'node_modules/@kilotoken/money': { link: true },
        'libs/money': { name: '@kilotoken/money' },
        'node_modules/@node-llama-cpp/linux-x64-cuda': { name: 'empty-npm-package', version: '1.0.0', license: 'ISC' },
      }),
    );
    expect(text.indexOf('| pg | 8.0.0 | MIT |')).toBeLessThan(text.indexOf('## Packages that those use'));
    expect(text.indexOf('| split | 1.0.0 | ISC |')).toBeGreaterThan(text.indexOf('## Packages that those use'));
    expect(text.indexOf('| pg | 7.0.0 | MIT |')).toBeGreaterThan(text.indexOf('## Packages that those use'));
    expect(text).not.toMatch(/jest|kilotoken\/money|empty-npm|cuda/);
  });

  it('a package without a licence stops it', () => {
    expect(() => composeNotices(lock({ 'node_modules/pg': { version: '8.0.0' } }))).toThrow('pg states no licence');
  });

  it('the same package at one version in two places is one line', () => {
    const text = composeNotices(lock({ 'node_modules/pg': pg, 'node_modules/a/node_modules/pg': pg, 'node_modules/a': { version: '1.0.0', license: 'MIT' } }));
    expect(text.match(/\| pg \|/g)).toHaveLength(1);
  });
});
