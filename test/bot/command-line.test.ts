import { beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../bot/command-line.ts';
import { type AnyCommand, createDispatch } from '../../bot/dispatch.ts';
import type { DraftRecord } from '../../bot/wizard.ts';
import type { Command } from '../../engine/contracts/command.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { type Fields, field } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { silentLog } from '../support/log.ts';

interface World {
  readonly ran: unknown[];
}

function command<const F extends Fields>(given: Command<F, World>): AnyCommand<World> {
  return given;
}

const texts = { summary: 'Does something.', example: '/activate it', access: 'editor' } as const;

const run = command({
  ...texts,
  name: 'run',
  title: 'Run',
  fields: {
    name: field.lookup({ label: 'Alert', lookup: 'alerts', help: 'The alert to run.' }),
    wait: field.optional(field.choice({ label: 'Wait', of: { true: 'Yes', false: 'No' } })),
  },
  positional: ['name'],
  lookups: { alerts: async () => [{ value: 'pql', label: 'pql' }] },
  run: async (input, _caller, world) => {
    world.ran.push(input);
    const tone = input.name === 'broken' ? 'bad' : 'good';
    return {
      kind: 'card',
      to: 'caller',
      card: { title: 'Run of it', tone, blocks: [], fallback: 'Run of it' },
    };
  },
});

const help = command({
  ...texts,
  name: 'help',
  title: 'Help',
  fields: { about: field.optional(field.text({ label: 'About' })) },
  run: async ({ about }) => ({ kind: 'done', note: `Help about ${about ?? 'everything'}` }),
});

const connect = command({
  ...texts,
  name: 'connect',
  title: 'Connect',
  fields: {
    name: field.text({ label: 'Name' }),
    key: field.optional(field.lookups({ label: 'Key', lookup: 'keys' })),
    password: field.secret({ label: 'Password' }),
  },
  lookups: { keys: async () => [] },
  steps: [
    {
      title: 'Name',
      fields: () => ['name', 'key'],
      prepare: async () => ({ initial: { name: 'warehouse', key: '["a","b"]' } }),
    },
    { title: 'Password', fields: () => ['password'] },
  ],
  run: async (input, _caller, world) => {
    world.ran.push(input);
    if (input.password === 'wrong') {
      throw new ActivateError('AUTH_REJECTED', 'It refused.', {
        fields: { password: 'The password is wrong.' },
      });
    }
    return { kind: 'done', note: 'Connected.' };
  },
});

let ran: unknown[];
let drafts: Map<number, DraftRecord>;
let said: { out: string[]; err: string[]; asked: { question: string; secret: boolean }[] };

beforeEach(() => {
  ran = [];
  drafts = new Map();
  said = { out: [], err: [], asked: [] };
});

/** Runs one command line; with answers given, somebody sits there and types them, and then Ctrl-D. */
function cli(argv: readonly string[], answers?: readonly string[]): Promise<number> {
  const left = [...(answers ?? [])];
  const dispatch = createDispatch<World>({
    commands: [run, help, connect],
    services: { ran },
    identify: async () => ({ id: '1', name: 'ops', email: undefined, role: 'admin', timeZone: 'UTC' }),
    drafts: {
      start: async (_person, name, given) => {
        const draft = { id: 1, step: 0, command: name, answers: given };
        drafts.set(1, draft);
        return draft;
      },
      get: async (_person, id) => drafts.get(id),
      keep: async (id, step, given: Raw) => {
        const draft = drafts.get(id) as DraftRecord;
        drafts.set(id, { ...draft, step, answers: { ...draft.answers, ...given } });
      },
      drop: async (id) => {
        drafts.delete(id);
      },
    },
    audit: async () => undefined,
    link: async () => undefined,
    log: silentLog,
  });
  const ask = async (question: string, { secret }: { secret: boolean }): Promise<string | undefined> => {
    said.asked.push({ question, secret });
    return left.shift();
  };
  return runCli(argv, {
    dispatch,
    io: {
      color: false,
      width: 80,
      out: (text) => void said.out.push(text),
      err: (text) => void said.err.push(text),
      ...(answers === undefined ? {} : { ask }),
    },
    origin: {
      person: { kind: 'person', platform: 'cli', id: 'ops' },
      conversation: { kind: 'conversation', platform: 'cli', id: 'terminal' },
    },
  });
}

describe('a command line', () => {
  it.each([
    [['run', 'pql'], { name: 'pql' }],
    [['run', 'two words', 'wait=true'], { name: 'two words', wait: 'true' }],
    [['run', '--wait', 'pql'], { name: 'pql', wait: 'true' }],
    [['run', '--wait', 'false', '--name', 'a "b" \\ c'], { name: 'a "b" \\ c', wait: 'false' }],
    [['run', '--name=line\nbreak'], { name: 'line\nbreak' }],
    [['run', 'name=x', '--json'], { name: 'x' }],
  ])('%j is read as the shell split it', async (argv, input) => {
    expect(await cli(argv)).toBe(0);
    expect(ran).toEqual([input]);
  });

  it('ends with 1 when the command could not be done', async () => {
    expect(await cli(['run', 'broken'])).toBe(1);
    expect(said).toMatchObject({ out: [], err: ['Run of it'] });
  });

  it('lists what is missing when nobody is there to be asked', async () => {
    expect(await cli(['run', 'wait=perhaps'])).toBe(1);
    expect(said.err.join()).toContain('name: Fill this in.');
    expect(said.err.join()).toContain('wait: Choose one of: true, false.');
    expect(said.err.join()).toContain('Usage: activate run name=… [wait=true|false]');
  });

  it('says at the field what the command refuses', async () => {
    expect(await cli(['connect', 'password=wrong'])).toBe(1);
    expect(said.err.join()).toContain('password: The password is wrong.');
    expect(JSON.stringify(said)).not.toContain('"wrong"');
  });

  it('answers as data', async () => {
    expect(await cli(['run', 'pql', '--json'])).toBe(0);
    expect(JSON.parse(said.out[0] ?? '')).toMatchObject({ kind: 'card', card: { title: 'Run of it' } });
    expect(await cli(['run', '--json'], [])).toBe(1);
    expect(JSON.parse(said.err[0] ?? '')).toEqual({ command: 'run', errors: { name: 'Fill this in.' } });
  });

  it.each([
    [['--help'], 'everything'],
    [['run', '--help'], 'run'],
    [['-h'], 'everything'],
  ])('%j explains', async (argv, about) => {
    expect(await cli(argv)).toBe(0);
    expect(said.out).toEqual([`Help about ${about}`]);
  });
});

describe('with somebody there', () => {
  it('asks only for what is missing, and offers what there is', async () => {
    expect(await cli(['run', 'wait=true'], ['pql'])).toBe(0);
    expect(said.asked).toEqual([{ question: 'Alert: ', secret: false }]);
    expect(said.err.join()).toContain('  pql');
    expect(ran).toEqual([{ name: 'pql', wait: 'true' }]);
  });

  it('goes through the steps, Enter takes what is suggested, and a secret is not echoed', async () => {
    expect(await cli(['connect'], ['', '', 'hush'])).toBe(0);
    expect(said.asked).toEqual([
      { question: 'Name [warehouse]: ', secret: false },
      { question: 'Key [a, b]: ', secret: false },
      { question: 'Password: ', secret: true },
    ]);
    expect(ran).toEqual([{ name: 'warehouse', key: ['a', 'b'], password: 'hush' }]);
    expect(said.out).toEqual(['Connected.']);
    expect(JSON.stringify(said)).not.toContain('hush');
  });

  it('asks again for what was wrong, with what is wrong about it', async () => {
    expect(await cli(['connect'], ['x', '', 'wrong', 'right'])).toBe(0);
    expect(said.err.join()).toContain('The password is wrong.');
    expect(ran.at(-1)).toMatchObject({ name: 'x', password: 'right' });
  });

  it('keeps what was typed when the person leaves half-way', async () => {
    expect(await cli(['connect'], ['mine'])).toBe(1);
    expect(said.err.at(-1)).toContain('draft');
    expect(drafts.get(1)?.answers).toMatchObject({ name: 'mine' });
    expect(ran).toEqual([]);
  });
});
