import { expect, it } from 'vitest';
import { featuresOf } from '../../../bot/mattermost/features.ts';
import {
  type Carried,
  drawForm,
  type Easel,
  readSubmission,
  wantsBack,
} from '../../../bot/mattermost/form.ts';
import { type Fields, type Form, field } from '../../../engine/contracts/form.ts';
import { dialogFaults } from '../../fakes/mattermost-checks.ts';
import type { Json } from '../../fakes/mattermost-state.ts';

const FIELDS: Fields = {
  name: field.text({ label: 'Name', help: 'What you call it.', placeholder: 'New accounts' }),
  note: field.text({ label: 'Note', max: 400 }),
  sql: field.area({ label: 'Query', language: 'sql' }),
  limit: field.optional(field.number({ label: 'Limit', min: 1, max: 50, whole: true })),
  when: field.choice({ label: 'When', of: { minute: 'Every minute', hour: 'Every hour' } }),
  source: field.lookup({ label: 'Source', lookup: 'sources' }),
  keys: field.lookups({ label: 'Key', lookup: 'columns' }),
};

function form(over: Partial<Form> = {}): Form {
  return {
    command: 'new-alert',
    title: 'New alert',
    step: { number: 2, of: 3 },
    intro: [{ type: 'text', text: ['Found 431 rows.'] }],
    fields: FIELDS,
    initial: { name: 'New accounts', limit: '10', when: 'hour', source: 's1', keys: '["id","region"]' },
    errors: {},
    hidden: { draft: '7', step: '1' },
    submit: 'Next',
    back: { draft: '7', step: '1', back: 'true' },
    ...over,
  };
}

function easel(version: string, over: Partial<Easel> = {}): Easel {
  return {
    features: featuresOf(version, 'https://bot.example/mattermost'),
    usernames: new Map(),
    place: { channel: 'c1' },
    choices: new Map(),
    seal: (carried) => JSON.stringify(carried),
    lookupUrl: () => 'https://bot.example/mattermost/lookup?t=x',
    dialogUrl: 'https://bot.example/mattermost/dialog',
    ...over,
  };
}

function drawn(version: string, given: Form = form(), over: Partial<Easel> = {}) {
  const { payload, losses } = drawForm(given, easel(version, over));
  const faults = dialogFaults(payload as unknown as Json, version);
  return { payload, losses, faults, carried: JSON.parse(payload.state) as Carried };
}

it('draws every kind of field as a server of today takes it', () => {
  const { payload, losses, faults, carried } = drawn('11.2.0');

  expect({ losses, faults }).toEqual({ losses: [], faults: [] });
  expect(payload.elements).toMatchObject([
    { name: 'name', type: 'text', max_length: 150, default: 'New accounts', help_text: 'What you call it.' },
    { name: 'note', type: 'textarea', max_length: 400 },
    { name: 'sql', type: 'textarea', max_length: 3000 },
    { name: 'limit', type: 'text', subtype: 'number', default: '10', optional: true },
    { name: 'when', type: 'select', default: 'hour' },
    { name: 'source', type: 'select', data_source: 'dynamic', default: 's1' },
    { name: 'keys', type: 'select', data_source: 'dynamic', multiselect: true, default: 'id,region' },
    { name: 'goback1', type: 'select', refresh: true, optional: true },
  ]);
  expect(payload.introduction_text).toBe('Step 2 of 3\n\nFound 431 rows.');
  expect(payload.source_url).toBe('https://bot.example/mattermost/dialog');
  expect(carried).toMatchObject({
    command: 'new-alert',
    hidden: { draft: '7' },
    typed: [],
    place: { channel: 'c1' },
  });
});

it('draws plain dialogs for an old server: short lists to choose from, long ones to type', () => {
  const sources = Array.from({ length: 3 }, (_, index) => ({
    value: `s${index + 2}`,
    label: `Source ${index}`,
  }));

  const { payload, losses, faults, carried } = drawn('6.6.1', form(), {
    choices: new Map([['source', sources]]),
  });

  expect({ losses, faults }).toEqual({ losses: [], faults: [] });
  const byName = new Map(payload.elements.map((element) => [element.name, element]));
  expect(byName.get('source')).toMatchObject({ type: 'select', default: 's1', options: { length: 4 } });
  expect(byName.get('keys')).toMatchObject({ type: 'textarea', default: 'id, region' });
  expect([...byName.keys()].some((name) => name.startsWith('goback'))).toBe(false);
  expect(payload.source_url).toBeUndefined();
  expect(carried.typed).toEqual(['keys']);
  expect(drawn('6.6.1').carried.typed).toEqual(['source', 'keys']);
});

it('asks a server over HTTP for no choices, and one that says no version for nothing new', () => {
  expect(featuresOf('11.2.0', 'http://10.0.0.5:3000')).toMatchObject({
    steps: true,
    many: true,
    dynamic: false,
  });
  expect(featuresOf('11.0.3', 'https://bot.example')).toMatchObject({
    steps: false,
    many: true,
    dynamic: true,
  });
  expect(featuresOf('10.12.0', 'https://bot.example')).toMatchObject({
    steps: false,
    many: false,
    dynamic: false,
  });
  expect(featuresOf(undefined, 'https://bot.example')).toMatchObject({
    steps: false,
    many: false,
    dynamic: false,
  });
});

it('shows errors of a dialog that has to be drawn anew above its fields', () => {
  const { payload } = drawn(
    '11.2.0',
    form({ errors: { name: 'Taken by *Mia*.', '': 'The source is away.' } }),
  );

  expect(payload.introduction_text).toContain('⚠️ **Name**: Taken by \\*Mia\\*.');
  expect(payload.introduction_text).toContain('⚠️ The source is away.');
});

it('never asks for a secret', () => {
  const { payload, losses } = drawn('11.2.0', form({ fields: { token: field.secret({ label: 'Token' }) } }));

  expect(payload.elements.map(({ name }) => name)).toEqual(['goback1']);
  expect(losses.join()).toContain('Token is a secret');
});

it.each(['6.6.1', '11.2.0'])(
  'stays within the limits of %s with hostile content, and says what was cut',
  (version) => {
    const long = '🎯@channel'.repeat(900);
    const many = Object.fromEntries(Array.from({ length: 630 }, (_, index) => [`v${index}`, long]));

    const { payload, losses, faults } = drawn(
      version,
      form({
        title: long,
        submit: long,
        initial: { name: long, sql: long, pick: 'v3', source: long, keys: '["a b","c,d","e"]' },
        errors: { name: long },
        fields: { ...FIELDS, pick: field.choice({ label: long, of: many }) },
        intro: Array.from({ length: 120 }, () => ({ type: 'text' as const, text: [long] })),
      }),
    );

    expect(faults).toEqual([]);
    expect([...payload.introduction_text].length).toBeLessThanOrEqual(8000);
    expect(losses.join()).toContain('500 of 630 choices');
    expect(losses.join()).toContain('The title was cut to 24 bytes.');
  },
);

it('reads back what was asked, and leaves out what a client brings along from steps before', () => {
  const { carried } = drawn('11.2.0');

  const read = readSubmission(
    { name: 'Big deals', limit: 5, keys: ['id', 'a,b'], when: null, goback1: 'on', earlier: 'x', draft: '9' },
    carried,
  );

  expect(read).toEqual({
    name: 'Big deals',
    note: '',
    sql: '',
    limit: '5',
    when: '',
    source: '',
    keys: '["id","a,b"]',
  });
  expect([wantsBack({ goback1: 'back' }, '1'), wantsBack({ goback1: 'back' }, '2')]).toEqual([true, false]);
});
