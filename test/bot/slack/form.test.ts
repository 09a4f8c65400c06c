import { expect, it } from 'vitest';
import { carried, drawForm, drawOptions, readView, type SentView } from '../../../bot/slack/form.ts';
import { type Fields, type Form, field } from '../../../engine/contracts/form.ts';
import { type Json, viewFaults } from '../../fakes/slack/blocks.ts';

const FIELDS: Fields = {
  name: field.text({ label: 'Name', help: 'What you call it.', placeholder: 'New accounts' }),
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
    initial: { name: 'New accounts', when: 'hour', keys: '["id","region"]' },
    errors: {},
    hidden: { draft: '7' },
    submit: 'Next',
    back: { draft: '7', step: '1' },
    ...over,
  };
}

const PLACE = { channel: 'C1', responseUrl: 'https://hooks.example/1' };

it('draws every kind of field as a view that Slack takes', () => {
  const { payload, losses } = drawForm(form(), PLACE);

  expect(viewFaults(payload as unknown as Json)).toEqual([]);
  expect(losses).toEqual([]);
  const inputs = (payload.blocks as unknown as { type: string; block_id: string; element: Json }[]).flatMap(
    (block) => (block.type === 'input' ? [`${block.block_id} ${String(block.element['type'])}`] : []),
  );
  expect(inputs).toEqual([
    'f:name plain_text_input',
    'f:sql plain_text_input',
    'f:limit number_input',
    'f:when static_select',
    'f:source external_select',
    'f:keys multi_external_select',
  ]);
  expect(carried(payload as unknown as SentView)).toMatchObject({
    command: 'new-alert',
    hidden: { draft: '7' },
    place: PLACE,
  });
});

it('shows errors where they belong and keeps the ids, so that what was typed survives', () => {
  const before = drawForm(form(), PLACE).payload;
  const after = drawForm(form({ errors: { name: 'Taken.', '': 'The source is away.' } }), PLACE).payload;

  const ids = (view: typeof before) =>
    view.blocks.flatMap((block) => (block.type === 'input' ? [block.block_id] : []));
  expect(ids(after)).toEqual(ids(before));
  expect(JSON.stringify(after.blocks)).toContain('Taken.');
  expect(JSON.stringify(after.blocks)).toContain('The source is away.');
});

it('never asks for a secret', () => {
  const { payload, losses } = drawForm(form({ fields: { token: field.secret({ label: 'Token' }) } }), PLACE);

  expect(payload.blocks.some((block) => block.type === 'input')).toBe(false);
  expect(losses.join()).toContain('Token is a secret');
});

it('stays within the limits with hostile content, and says what was cut', () => {
  const long = '🎯<!channel>'.repeat(900);
  const many = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`v${index}`, long]));

  const { payload, losses } = drawForm(
    form({
      title: long,
      submit: long,
      initial: { name: long, sql: long, pick: 'v3' },
      errors: { name: long },
      fields: { ...FIELDS, pick: field.choice({ label: long, of: many }) },
      intro: Array.from({ length: 120 }, () => ({ type: 'text' as const, text: ['x'] })),
    }),
    PLACE,
  );

  expect(viewFaults(payload as unknown as Json)).toEqual([]);
  expect(losses.join()).toContain('100 of 130 choices');
  expect(losses.join()).toContain('The title was cut to 24 characters.');
});

it('gives up the way back before it gives up what the form carries', () => {
  const { payload } = drawForm(form({ hidden: { draft: 'd'.repeat(2600) } }), {
    channel: 'C1',
    responseUrl: 'u'.repeat(500),
  });

  expect(carried(payload as unknown as SentView)).toMatchObject({
    hidden: { draft: 'd'.repeat(2600) },
    place: { channel: 'C1' },
  });
  expect(() => drawForm(form({ hidden: { draft: 'd'.repeat(3001) } }), PLACE)).toThrow(
    'carries more than 3000',
  );
});

it('reads the submitted values back, several as a JSON array', () => {
  const read = readView({
    state: {
      values: {
        'f:name': { name: { value: 'Big deals' } },
        'f:sql': { sql: { value: null } },
        'f:source': { source: { selected_option: { value: 's1' } } },
        'f:when': { when: { selected_option: null } },
        'f:keys': { keys: { selected_options: [{ value: 'id' }, { value: 'a,b' }] } },
        'f:none': { none: { selected_options: [] } },
      },
    },
  });

  expect(read).toEqual({
    name: 'Big deals',
    sql: '',
    source: 's1',
    when: '',
    keys: '["id","a,b"]',
    none: '',
  });
});

it('offers no option whose value could not come back whole', () => {
  const losses: string[] = [];

  const options = drawOptions(
    [
      { value: 'v'.repeat(76), label: 'long' },
      { value: 'ok', label: 'l'.repeat(80) },
    ],
    losses,
  );

  expect(options.map(({ value }) => value)).toEqual(['ok']);
  expect(losses).toHaveLength(2);
});
