import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseField,
  parseMapping,
  writeExpression,
  writeMapping,
} from '../../../engine/mapping/expression.ts';
import type { MappedField, Origin } from '../../../engine/model/mapping.ts';

const columns = ['id', 'e_mail', 'Seats left', 'note, ignore'];

const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/);
const origin: fc.Arbitrary<Origin> = fc.oneof(
  fc.record({ type: fc.constant('column' as const), column: fc.constantFrom(...columns) }),
  fc.record({
    type: fc.constant('static' as const),
    value: fc.oneof(
      fc.string().filter((text) => !/[\n\r]|\{\{|\{%/.test(text)),
      fc.integer(),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((number) => String(number).replaceAll(/\D/g, '').length <= 15),
      fc.boolean(),
      fc.constant(null),
    ),
  }),
  fc.record({
    type: fc.constant('template' as const),
    template: fc.constantFrom('{{ id }}', 'No. {{ id }}, {{ e_mail }}!'),
  }),
  fc.record({
    type: fc.constant('meta' as const),
    name: fc.constantFrom('synced_at' as const, 'run' as const, 'key' as const),
  }),
  fc.record({
    type: fc.constant('lookup' as const),
    object: fc.oneof(
      word,
      fc.tuple(word, word).map((two) => two.join('.')),
    ),
    by: word,
    column: fc.constantFrom('id', 'e_mail'),
  }),
);
const mapped: fc.Arbitrary<MappedField> = fc.record({
  field: word,
  from: origin,
  nulls: fc.constantFrom('send' as const, 'keep' as const),
  onlyIfEmpty: fc.boolean(),
});

describe('expressions', () => {
  it('what is written is read as what it was', () => {
    fc.assert(
      fc.property(fc.uniqueArray(mapped, { selector: (one) => one.field, maxLength: 6 }), (fields) => {
        const zero = (value: unknown): unknown => (value === 0 ? 0 : value);
        const plain = fields.map((one) =>
          one.from.type === 'static'
            ? { ...one, from: { ...one.from, value: zero(one.from.value) as number } }
            : one,
        );
        expect(parseMapping(writeMapping(plain), columns)).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });

  it('reads a table with its schema as the kind of record of a look-up', () => {
    expect(parseField('account', 'public.accounts.email(e_mail)', columns).from).toEqual({
      type: 'lookup',
      object: 'public.accounts',
      by: 'email',
      column: 'e_mail',
    });
  });

  it.each([
    ['e_mial', /Did you mean e_mail/],
    ['', /Nothing fills/],
    ['@runn', /There is @synced_at/],
    ['007', /Write it in quotes: "007"/],
    ['12345678901234567890', /in quotes/],
    ['1e400', /in quotes/],
  ])('says what is wrong with %s', (text, fix) => {
    const read = (): unknown => parseField('field', text, columns);
    expect(read).toThrow();
    try {
      read();
    } catch (error) {
      expect(error).toMatchObject({ code: 'INPUT_INVALID' });
      expect(`${(error as Error).message} ${(error as { fix?: string }).fix}`).toMatch(fix);
    }
  });

  it('a field is filled once', () => {
    expect(() => parseMapping('a = id\na = e_mail', columns)).toThrow('The field a is filled twice.');
  });

  it('flags may come in either order, in any case', () => {
    const written = writeExpression(parseField('a', 'id, Only If Empty, ignore nulls', columns));
    expect(written).toBe('id, ignore nulls, only if empty');
  });
});
