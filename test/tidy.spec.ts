import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { findLongFunctions } from './support/long-functions.js';

/** The rules of the house that a machine can keep. What needs judgement is in reviews. */
const root = fileURLToPath(new URL('..', import.meta.url));
const fileLinesMax = 400;
const functionLinesMax = 70;

/** What is committed or about to be: neither generated nor ignored. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const isCode = (path: string): boolean => /\.(ts|mjs)$/.test(path);
const isSpec = (path: string): boolean => path.endsWith('.spec.ts');
const code = files.filter(isCode);
const folders = (under: string): string[] => [...new Set(files.flatMap((path) => (path.startsWith(`${under}/`) ? [path.split('/').slice(0, 2).join('/')] : [])))];

/** The lines that break a rule, as `path:line text`, so that a failure says where. */
const offences = (paths: readonly string[], pattern: RegExp): string[] =>
  paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${line.trim().slice(0, 120)}`] : [])),
  );

it('there is something to look at', () => {
  expect(code.length).toBeGreaterThan(50);
});

describe('size', () => {
  it(`no file of code is longer than ${fileLinesMax} lines`, () => {
    const long = files.filter((path) => /\.(ts|mjs|sql|prisma)$/.test(path) && !path.startsWith('prisma/migrations/')).map((path) => [path, read(path).trimEnd().split('\n').length] as const);
    expect(long.filter(([, lines]) => lines > fileLinesMax)).toEqual([]);
  });

  it(`no function is longer than ${functionLinesMax} lines; a group of tests may be`, () => {
    expect(code.flatMap((path) => findLongFunctions(path, read(path), functionLinesMax))).toEqual([]);
  });
});

describe('names', () => {
  it('no file is named for nothing in particular', () => {
    const nondescript = /(^|[._-])(utils?|helpers?|managers?|common|misc|dto|impl)([._-]|$)/i;
    expect(files.filter((path) => !path.startsWith('docs/') && nondescript.test(basename(path)))).toEqual([]);
  });

  it('files of code are in kebab-case, with their role after a dot', () => {
    expect(code.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.(ts|mjs)$/.test(basename(path)))).toEqual([]);
  });
});

describe('tests', () => {
  it('none is singled out or skipped', () => {
    // A proof that needs a tool is chosen by a condition and counted, never written off in place.
    const pattern = /\b(describe|it|test)\s*\.\s*(only|skip|todo|failing)\b\s*(\(|\.each)|\b(xit|xdescribe|xtest|fit|fdescribe)\s*\(/;
    expect(offences(files.filter(isSpec), pattern)).toEqual([]);
  });
});

describe('roles', () => {
  it('every .service.ts is a Nest provider', () => {
    const services = files.filter((path) => path.endsWith('.service.ts'));
    expect(services.length).toBeGreaterThan(15);
    expect(services.filter((path) => !read(path).includes('@Injectable('))).toEqual([]);
  });
});

describe('money', () => {
  it('no column is a binary fraction', () => {
    expect(offences(files.filter((path) => path.endsWith('.prisma')), /^(?!\s*\/\/).*\bFloat\b/)).toEqual([]);
    // Times may travel as seconds with a fraction; what is named for money may not.
    const column = /\b\w*(amount|price|charge|cost|hold|available|leased|settled|consumed|granted|balance|fee|worth)\w*\s+(real|float\d?|double\s+precision|money)\b/i;
    expect(offences(files.filter((path) => path.endsWith('.sql')), column)).toEqual([]);
  });
});

describe('settings', () => {
  /** A process that starts before anything is built, or that hands its environment on, reads it in the open. */
  const mayReadEnvironment = (path: string): boolean => /(^|\/)config\.(ts|mjs)$/.test(path) || path.startsWith('test/') || isSpec(path) || /^tools\/[^/]+\.mjs$/.test(path);

  it('the environment is read in config files alone', () => {
    const others = code.filter((path) => !mayReadEnvironment(path) && path !== 'eslint.config.mjs');
    expect(offences(others, /\bprocess\s*(\.\s*env\b|\[\s*['"]env)|from ['"]node:process['"]/)).toEqual([]);
  });

  describe('.env.example', () => {
    const written = new Map([...read('.env.example').matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
    const fields = new Map<string, z.ZodType>();

    beforeAll(async () => {
      for (const path of files.filter((file) => /^(apps\/[^/]+\/src\/config|tools\/src\/(.+\/)?(config|settings))\.ts$/.test(file))) {
        const exported = (await import(pathToFileURL(join(root, path)).href)) as Record<string, unknown>;
        const schemas = Object.values(exported).filter((value) => value instanceof z.ZodObject);
        if (schemas.length === 0) throw new Error(`${path} exports no schema of its settings`);
        for (const { shape } of schemas) for (const [name, field] of Object.entries(shape)) fields.set(name, field as z.ZodType);
      }
    });

    it('names every setting that the code knows, and no other', () => {
      expect([...written.keys()].sort()).toEqual([...fields.keys()].sort());
    });

    it('names each once, and shows the default that the code has', () => {
      expect([...read('.env.example').matchAll(/^#? ?([A-Z][A-Z0-9_]*)=/gm)]).toHaveLength(written.size);
      const wrong = [...written].flatMap(([name, value]) => {
        const parsed = fields.get(name)?.safeParse(undefined);
        const right = parsed?.success && parsed.data !== undefined ? String(parsed.data) : '';
        return right === value ? [] : [`${name} is ${right || 'without a default'}, not ${value}`];
      });
      expect(wrong).toEqual([]);
    });
  });
});

describe('documents', () => {
  it.each(folders('libs'))('%s has a README', (folder) => {
    expect(files.includes(`${folder}/README.md`)).toBe(true);
  });

  it.each(folders('libs'))("%s's README states model, ownership and invariants", (folder) => {
    const text = files.includes(`${folder}/README.md`) ? read(`${folder}/README.md`) : '';
    for (const word of [/model/i, /own/i, /invariant/i]) expect(text).toMatch(word);
  });

  it('docs/failures.md names tests that there are', () => {
    const named = [...read('docs/failures.md').matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+\.spec\.ts)\)/g)].map(([, name, path]) => [name!, path!] as const);
    expect(named.length).toBeGreaterThan(90);
    expect(named.filter(([name, path]) => !files.includes(path) || !read(path).replaceAll("\\'", "'").includes(name))).toEqual([]);
  });

  const migrations = files.filter((path) => /^prisma\/migrations\/[^/]+\/migration\.sql$/.test(path));
  it.each(migrations)('%s says at its head why it is and what it locks', (path) => {
    const head = /^(--.*\n)+/.exec(read(path))?.[0] ?? '';
    expect(head).toMatch(/^-- Why:/m);
    expect(head).toMatch(/^-- Locks:/m);
  });
});

describe('the release', () => {
  it('is said in one place, from which the gateway and the OpenAPI document take it', () => {
    const versions = files.filter((path) => /(^|\/)package\.json$/.test(path)).map((path) => [path, (JSON.parse(read(path)) as { version?: string }).version] as const);
    expect(versions.filter(([, version]) => version !== undefined)).toEqual([['package.json', expect.stringMatching(/^\d+\.\d+\.\d+$/)]]);
  });
});

describe('the repository stands alone', () => {
  it('nothing but .ci/run mentions what lies beside it', () => {
    const text = files.filter((path) => path !== '.ci/run' && path !== 'package-lock.json' && path !== 'test/tidy.spec.ts' && !/\.(png|jpg|pdf|gguf|woff2?)$/.test(path));
    expect(offences(text, /\.\.\/shared\b|(^|[\s'"(=])\/work\/|\/work\/(main|shared)/)).toEqual([]);
  });

  it('all licences of what it runs on are named', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const notices = read('THIRD_PARTY_NOTICES.md');
    const missing = Object.entries(dependencies).filter(([name, version]) => !notices.includes(`| ${name} | ${version} |`));
    expect(missing).toEqual([]);
    for (const work of ['SmolLM2-135M-Instruct', 'PostgreSQL']) expect(notices).toContain(work);
  });
});
