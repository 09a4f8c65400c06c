import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createDispatch } from '../../bot/dispatch.ts';
import { createCommands } from '../../commands/index.ts';
import { connectors } from '../../connectors/index.ts';
import { type Field, type Fields, splitMany } from '../../engine/contracts/form.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import type { Services } from '../../engine/services.ts';
import { silentLog } from '../support/log.ts';

const commands = createCommands(connectors);
const named = commands.map((command) => [command.name, command] as const);
const fields = commands.flatMap((command) =>
  Object.entries(command.fields as Fields).map(
    ([name, field]) => [`${command.name} ${name}`, name, field] as const,
  ),
);

/** Files of the folder that are no commands: what several commands share. */
const shared = [
  'index',
  'define',
  'lookups',
  'raw',
  'personal',
  'alert-fields',
  'alert-steps',
  'dbt-forms',
  'syncs',
];

describe('the list of commands', () => {
  it('holds every file of commands/, and nothing else', () => {
    const there = readdirSync(new URL('../../commands/', import.meta.url))
      .map((name) => name.replace(/\.ts$/, ''))
      .filter((name) => !shared.includes(name));

    expect(commands.map((command) => command.name).toSorted()).toEqual(there.toSorted());
  });

  it.each(named)('%s is the command of its file', (name) => {
    const text = readFileSync(new URL(`../../commands/${name}.ts`, import.meta.url), 'utf8');

    expect(text).toContain(`name: '${name}'`);
  });
});

describe('a command', () => {
  it.each(named)('%s is short enough for every platform', (name, command) => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(command.title.length).toBeLessThanOrEqual(24);
    expect(command.summary).toMatch(/^[A-Z].*\.$/);
    expect(command.summary.length).toBeLessThanOrEqual(150);
    for (const step of command.steps ?? []) {
      expect(step.title.length).toBeLessThanOrEqual(24);
    }
  });

  it.each(named)('%s names only fields that it has', (_name, command) => {
    const known = Object.keys(command.fields);
    const answers: Raw[] = [{}, { trigger: 'added' }, { trigger: 'changed' }, { trigger: 'threshold' }];
    const asked = (command.steps ?? []).flatMap((step) => answers.flatMap((raw) => step.fields(raw)));

    expect(known).toEqual(expect.arrayContaining([...(command.positional ?? []), ...asked]));
    expect(
      known.filter((name) => ['draft', 'step', 'back', 'closed', 'linked', 'asked'].includes(name)),
    ).toEqual([]);
  });

  it.each(named)('%s asks at most a handful at once', (_name, command) => {
    const raw = { trigger: 'threshold', kind: 'none' };
    const most = Math.max(
      ...(command.steps?.map((step) => step.fields(raw).length) ?? [Object.keys(command.fields).length]),
    );

    expect(most).toBeLessThanOrEqual(5);
  });

  it.each(named)('%s asks for secrets in its last step only, since no draft keeps them', (_name, command) => {
    const secret = (name: string): boolean => (command.fields as Fields)[name]?.widget.type === 'secret';
    const early = (command.steps ?? []).slice(0, -1).flatMap((step) => step.fields({}));

    expect(early.filter(secret)).toEqual([]);
  });

  it.each(named)('%s has an example that says all it needs', (name, command) => {
    const dispatch = createDispatch<Services>({
      commands,
      services: {} as Services,
      identify: async () => ({ id: '1', name: 'Mia', email: undefined, role: 'admin', timeZone: 'UTC' }),
      drafts: {
        start: async () => ({ id: 1, step: 0, command: '', answers: {} }),
        get: async () => undefined,
        keep: async () => undefined,
        drop: async () => undefined,
      },
      audit: async () => undefined,
      link: async () => undefined,
      log: silentLog,
    });

    const read = dispatch.parse(command.example);

    expect(read.command).toBe(name);
    expect(read.input['']).toBeUndefined();
    if (command.steps === undefined && command.showsForm === undefined) {
      expect(dispatch.mayOpenForm(read)).toBe(false);
    }
  });
});

describe('a field', () => {
  it.each(fields)('%s fits everywhere', (_what, name, field: Field) => {
    expect(name).toMatch(/^[a-z]\w*$/i);
    expect(field.label.length).toBeLessThanOrEqual(24);
    expect(field.help?.length ?? 0).toBeLessThanOrEqual(150);
    expect(field.help ?? 'None.').toMatch(/[.…]$/);
    if (field.widget.type === 'choice') {
      const texts = field.widget.options.flatMap((option) => [option.value, option.label]);
      expect(texts.filter((text) => text.length > 75 || text === '')).toEqual([]);
      expect(splitMany(field.widget.options.map((option) => option.value).join(','))).toHaveLength(
        field.widget.options.length,
      );
    }
  });

  it.each(
    commands.flatMap((command) =>
      Object.entries(command.fields as Fields).flatMap(([name, { widget }]) =>
        widget.type === 'lookup' ? [[`${command.name} ${name}`, command, widget.lookup] as const] : [],
      ),
    ),
  )('%s has somebody to look up what it offers', (_what, command, lookup) => {
    expect(command.lookups?.[lookup]).toBeTypeOf('function');
  });
});
