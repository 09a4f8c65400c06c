import { describe, expect, it } from 'vitest';
import type { FieldSpec } from '../../../engine/contracts/destination.ts';
import type { Column } from '../../../engine/contracts/source.ts';
import { Refused } from '../../../engine/mapping/convert.ts';
import { parseField } from '../../../engine/mapping/expression.ts';
import { columnsRead, createMapper, type RowValues } from '../../../engine/mapping/mapper.ts';
import { suggestMapping } from '../../../engine/mapping/suggest.ts';

const columns: readonly Column[] = [
  { name: 'id', type: 'number', native: 'bigint' },
  { name: 'name', type: 'text', native: 'text' },
  { name: 'seats', type: 'number', native: 'integer' },
];
const names = columns.map((column) => column.name);
const facts = {
  synced_at: '2026-03-01T12:00:00.000Z',
  run: '7',
  sync: 'contacts',
  model: 'people',
  key: '1',
};
const spec = (name: string, given: Partial<FieldSpec> = {}): FieldSpec => ({
  name,
  label: name,
  type: 'any',
  required: false,
  key: false,
  ...given,
});

function map(
  lines: Record<string, string>,
  row: RowValues,
  specs: readonly FieldSpec[] = [],
  found: Record<string, string> = {},
) {
  const fields = Object.entries(lines).map(([field, text]) => parseField(field, text, names));
  return createMapper(fields, specs, columns).map(row, facts, (_, value) => found[value]);
}

describe('mappings', () => {
  it('fills fields from columns, texts, facts and templates', () => {
    const values = map(
      {
        a: 'id',
        b: '"fixed"',
        c: '5',
        d: 'true',
        e: '@run',
        f: '@synced_at',
        g: '{{ name }} has {{ seats }}',
        h: 'null',
      },
      ['12345678901234567890', 'Ann', '3'],
    );

    expect(values).toEqual({
      a: '12345678901234567890',
      b: 'fixed',
      c: 5,
      d: true,
      e: '7',
      f: facts.synced_at,
      g: 'Ann has 3',
      h: null,
    });
  });

  it('sends nulls, or leaves the field out', () => {
    expect(map({ a: 'name', b: 'name, ignore nulls' }, ['1', null, null])).toEqual({ a: null });
  });

  it('refuses a row without what is required, and says which field', () => {
    const specs = [spec('a', { required: true })];
    expect(() => map({ a: 'name' }, ['1', null, null], specs)).toThrow(
      'a is required, and the row has nothing for it.',
    );
  });

  it('refers to a record by its id, refuses a row whose record there is not yet, and lets an empty one be empty', () => {
    const lines = { owner: 'public.people.email(name)' };
    expect(map(lines, ['1', 'ann', null], [], { ann: 'id-9' })).toEqual({ owner: 'id-9' });
    expect(() => map(lines, ['1', 'bob', null], [], { ann: 'id-9' })).toThrow(Refused);
    expect(map(lines, ['1', null, null])).toEqual({ owner: null });
  });

  it('a template that fails at one row refuses that row alone', () => {
    const loop =
      '{% if name == "x" %}{% for i in (1..99999) %}{% for j in (1..99999) %}.{% endfor %}{% endfor %}{% endif %}ok';
    expect(map({ a: loop }, ['1', 'y', null])).toEqual({ a: 'ok' });
    expect(() => map({ a: loop }, ['1', 'x', null])).toThrow(Refused);
  });

  it('checks what is fixed when it is put together, and a field that is gone', () => {
    expect(() => map({ a: '"many"' }, [], [spec('a', { type: 'integer' })])).toThrow(
      'a takes a whole number.',
    );
    expect(() => map({ gone: 'id' }, [], [spec('a')])).toThrow(/no field "gone"/);
  });

  it('reads only the columns that it needs', () => {
    const fields = [
      parseField('a', '{{ name }}', names),
      parseField('b', 'seats', names),
      parseField('c', '@run', names),
    ];
    expect(columnsRead(fields, columns)).toEqual(['name', 'seats']);
  });

  it('suggests by name and by other words for the same, each column once, never against the type', () => {
    const offered: readonly Column[] = [
      { name: 'email_address', type: 'text', native: 'text' },
      { name: 'First Name', type: 'text', native: 'text' },
      { name: 'active', type: 'time', native: 'date' },
      { name: 'score', type: 'number', native: 'integer' },
    ];
    const specs = [
      spec('Email', { key: true }),
      spec('first_name'),
      spec('active', { type: 'boolean' }),
      spec('Score__c', { type: 'number' }),
      spec('mail'),
    ];
    const pairs = suggestMapping(specs, offered).map(({ field, from }) => [
      field,
      from.type === 'column' ? from.column : '',
    ]);

    expect(pairs).toEqual([
      ['Email', 'email_address'],
      ['first_name', 'First Name'],
      ['Score__c', 'score'],
    ]);
  });
});
