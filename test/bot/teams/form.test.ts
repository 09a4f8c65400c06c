import { expect, it } from 'vitest';
import { datasetOf, drawForm, drawFound, readDataset, readForm } from '../../../bot/teams/form.ts';
import { type Fields, type Form, field } from '../../../engine/contracts/form.ts';
import { actionOf, cardFaults, inputsOf, textOf } from '../../fakes/teams-cards.ts';

const FIELDS: Fields = {
  name: field.text({ label: 'Name', help: 'What you call it.', placeholder: 'New accounts' }),
  sql: field.area({ label: 'Query', language: 'sql' }),
  limit: field.optional(field.number({ label: 'Limit', min: 1, max: 50, whole: true })),
  when: field.choice({ label: 'When', of: { minute: 'Every minute', hour: 'Every hour' } }),
  source: field.lookup({ label: 'Source', lookup: 'sources' }),
  keys: field.lookups({ label: 'Key', lookup: 'columns' }),
};
const buttons = { opensForm: () => false };

function form(over: Partial<Form> = {}): Form {
  return {
    command: 'new-alert',
    title: 'New alert',
    step: { number: 2, of: 3 },
    intro: [{ type: 'table', columns: ['id'], rows: [['1']], total: 431 }],
    fields: FIELDS,
    initial: { name: 'New accounts', limit: '5', when: 'hour', source: 's1', keys: '["id","a,b","50%"]' },
    errors: {},
    hidden: { draft: '7' },
    submit: 'Next',
    back: { draft: '7', step: '1', back: 'true' },
    ...over,
  };
}

it('draws every kind of field, with what stands there already', () => {
  const { payload, losses } = drawForm(form(), buttons);

  expect(cardFaults(payload.card)).toEqual([]);
  expect(losses).toEqual([]);
  expect(inputsOf(payload.card).map(({ type, id, label, value }) => [type, id, label, value])).toEqual([
    ['Input.Text', 'f_name', 'Name', 'New accounts'],
    ['Input.Text', 'f_sql', 'Query', undefined],
    ['Input.Number', 'f_limit', 'Limit (optional)', 5],
    ['Input.ChoiceSet', 'f_when', 'When', 'hour'],
    ['Input.ChoiceSet', 'f_source', 'Source', 's1'],
    ['Input.ChoiceSet', 'g_keys', 'Key', 'id,a%2Cb,50%25'],
  ]);
  expect(textOf(payload.card)).toContain('Step 2 of 3');
  expect(textOf(payload.card)).toContain('1 of 431 rows');
  expect(payload.width).toBe('large');
});

it('brings back what it carried and what was typed, also on the way back', () => {
  const { payload } = drawForm(form(), buttons);
  const typed = { f_name: 'Big', f_limit: 7, g_keys: 'id,a%2Cb,50%25', f_source: '', g_none: '', other: 'x' };

  const next = readForm({ ...(actionOf(payload.card, 'Next')['data'] as object), ...typed });
  const back = readForm({ ...(actionOf(payload.card, '← Back')['data'] as object), ...typed });

  expect(next).toEqual({
    form: { command: 'new-alert', hidden: { draft: '7' }, fields: Object.keys(FIELDS) },
    typed: { name: 'Big', limit: '7', keys: '["id","a,b","50%"]', source: '', none: '' },
  });
  expect(back?.form.hidden).toEqual({ draft: '7', step: '1', back: 'true' });
});

it.each([undefined, 'x', {}, { activate: 1 }, { activate: { command: 7 } }])(
  'reads no form out of %j',
  (data) => {
    expect(readForm(data)).toBeUndefined();
  },
);

it('shows errors above their fields, and one about the whole', () => {
  const { payload } = drawForm(form({ errors: { name: 'Taken.', '': 'The source is away.' } }), buttons);

  const text = textOf(payload.card);
  expect(text).toContain('⚠️ The source is away.');
  expect(text.indexOf('⚠️ Name: Taken.')).toBeLessThan(text.indexOf('New accounts'));
});

it('never asks for a secret', () => {
  const { payload, losses } = drawForm(
    form({ fields: { token: field.secret({ label: 'Token' }) } }),
    buttons,
  );

  expect(inputsOf(payload.card)).toEqual([]);
  expect(losses.join()).toContain('Token is a secret');
});

it('stays within the limits with hostile content, and says what was cut', () => {
  const long = '🎯<at>x</at>'.repeat(900);
  const many = Object.fromEntries(Array.from({ length: 130 }, (_, index) => [`v${index}`, long]));

  const { payload, losses } = drawForm(
    form({
      title: long,
      submit: long,
      initial: { name: long, pick: 'v3' },
      errors: { name: long },
      fields: { name: field.text({ label: long }), pick: field.choice({ label: long, of: many }) },
      intro: Array.from({ length: 500 }, () => ({ type: 'text' as const, text: [long] })),
    }),
    buttons,
  );

  expect(cardFaults(payload.card)).toEqual([]);
  expect(JSON.stringify(payload.card).length).toBeLessThan(40_000);
  expect(inputsOf(payload.card)).toHaveLength(2);
  expect(losses.join()).toContain('100 of 130 choices');
  expect(losses.join()).toContain('The title was cut to 64 characters.');
});

it('names a search in one word, and reads it again', () => {
  const dataset = datasetOf('new-alert', 'keys', true, '7');

  expect(readDataset(dataset)).toEqual({ command: 'new-alert', field: 'keys', many: true, draft: '7' });
  expect(readDataset(datasetOf('show', 'name', false, undefined))).toMatchObject({ many: false, draft: '' });
  expect(readDataset('graph.microsoft.com/users')).toBeUndefined();
});

it('finds at most as many choices as Teams shows', () => {
  const options = Array.from({ length: 20 }, (_, at) => ({
    value: `a,${at}`,
    label: `A ${at}`,
    hint: 'hint',
  }));

  expect(drawFound(options, true)).toHaveLength(15);
  expect(drawFound(options, true)[0]).toEqual({ title: 'A 0 · hint', value: 'a%2C0' });
  expect(drawFound(options, false)[0]?.value).toBe('a,0');
});
