import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from '../support/app.ts';

const launcher = fileURLToPath(new URL('../../bot/activate.mjs', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

let app: TestApp;

beforeAll(async () => {
  // Nobody works on the queue: what runs, runs in the process of the command.
  app = await startApp({ worker: false });
  await app.warehouse.query('create table accounts (id int primary key, name text, seats int, email text)');
  await app.warehouse.query(`insert into accounts values (1, 'Northwind', 48, 'mia@northwind.example')`);
});

afterAll(() => app.close());

/** Runs `activate` as a shell does, with nobody there to be asked. */
function activate(argv: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: app.url,
    SECRET_KEY: 'k'.repeat(32),
    ...settings,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(launcher, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

describe('npx activate', () => {
  it('answers on the output, and nothing else does', async () => {
    const { code, out, err } = await activate(['whoami']);

    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Role       admin');
  });

  it('makes an alert in one line, runs it without a worker elsewhere, and shows it as data', async () => {
    const made = await activate([
      'new-alert',
      'source=warehouse',
      'sql=select id, name, seats from accounts where seats > 10',
      'name=big-accounts',
      'to=local:sales-pql',
    ]);
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toContain('big-accounts is on');

    const ran = await activate(['run', 'big-accounts', '--wait']);
    expect(ran).toMatchObject({ code: 0, err: '' });

    const [last] = await app.app.services.runs.recent('big-accounts', 1);
    expect(last?.state).toBe('done');
    const listed = await activate(['list', '--json']);
    expect(JSON.parse(listed.out)).toMatchObject({ kind: 'card' });
    expect(listed.out).toContain('big-accounts');
  });

  it.each([
    [['shwo'], 'Did you mean show?'],
    [['show', 'no-such-alert'], 'name: There is no alert or sync "no-such-alert"'],
    [['show'], 'name: Fill this in.'],
    [['manifest', 'teams'], 'Usage: activate manifest slack'],
  ])('%j ends in a sentence and with 1', async (argv, sentence) => {
    const { code, out, err } = await activate(argv);

    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(sentence);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('never repeats a password that does not work', async () => {
    const { code, out, err } = await activate([
      'connect',
      'name=other',
      'kind=postgres',
      'postgres_url=postgres://reader:hush-hush@127.0.0.1:1/none',
    ]);

    expect(code).toBe(1);
    expect(err).toContain('Nothing answers at 127.0.0.1:1');
    expect(out + err).not.toContain('hush-hush');
  });

  it('says what is wrong with the configuration, all of it at once', async () => {
    const { code, err } = await activate(['list'], { DATABASE_URL: 'nonsense', PORT: 'many' });

    expect(code).toBe(1);
    expect(err).toContain('DATABASE_URL must be a PostgreSQL address');
    expect(err).toContain('PORT must be a number');
  });

  it('prints the manifest of the Slack app, without any database', async () => {
    const url = 'https://activate.example.com';
    const { code, out } = await activate(['manifest', 'slack', '--url', url], { DATABASE_URL: 'nonsense' });

    expect(code).toBe(0);
    expect(JSON.stringify(JSON.parse(out))).toContain(url);
  });
});
