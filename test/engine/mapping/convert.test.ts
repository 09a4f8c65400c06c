import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldSpec, FieldType, Value } from '../../../engine/contracts/destination.ts';
import type { Column } from '../../../engine/contracts/source.ts';
import { converterTo, Refused } from '../../../engine/mapping/convert.ts';

const column = (type: Column['type'], native: string = type): Column => ({ name: 'c', type, native });
const spec = (type: FieldType, given: Partial<FieldSpec> = {}): FieldSpec => ({
  name: 'field',
  label: 'Field',
  type,
  required: false,
  key: false,
  ...given,
});
const convert = (type: FieldType, from: Column, text: string, given: Partial<FieldSpec> = {}): Value =>
  converterTo(spec(type, given), from)(text);

describe('values', () => {
  it.each([
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740993', '9007199254740993'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['0.1', 0.1],
    ['0.30000000000000004', 0.30000000000000004],
    ['1234567890.1234567891', '1234567890.1234567891'],
    ['1.2345678901234567e+20', 1.2345678901234567e20],
    ['1e400', '1e400'],
    ['1e-400', '1e-400'],
    ['0', 0],
    ['-12.50', -12.5],
  ])('a number is exact or its digits: %s', (text, value) => {
    expect(convert('any', column('number'), text)).toBe(value);
    expect(convert('number', column('text'), text)).toBe(value);
  });

  it('every 64-bit integer and every double survives', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (whole) => {
        expect(String(convert('integer', column('number'), String(whole)))).toBe(String(whole));
      }),
    );
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((one) => !Number.isInteger(one)),
        (double) => {
          expect(convert('number', column('number', 'double precision'), String(double))).toBe(double);
        },
      ),
    );
  });

  it.each(['NaN', 'Infinity', '-Infinity', '', '1,5', '0x10'])(
    '%s is no number, and is not repeated',
    (text) => {
      expect(() => convert('number', column('number'), text)).toThrow(Refused);
      expect(() => convert('integer', column('number'), text)).toThrow(Refused);
    },
  );

  it.each([
    ['5.0', 5],
    ['5.5', Refused],
  ])('whole numbers are whole: %s', (text, value) => {
    const read = (): Value => convert('integer', column('number'), text);
    if (typeof value === 'number') {
      expect(read()).toBe(value);
    } else {
      expect(read).toThrow(value);
    }
  });

  it.each([
    ['2024-02-29 23:59:59.123456+00', '2024-02-29T23:59:59.123456Z'],
    ['2024-01-01 00:30:00.000001+02', '2023-12-31T22:30:00.000001Z'],
    ['2024-01-01 00:30:00-03:30', '2024-01-01T04:00:00Z'],
    ['2024-06-01 10:00', '2024-06-01T10:00:00Z'],
    ['2024-06-01', '2024-06-01T00:00:00Z'],
    ['2024-06-01T10:00:00Z', '2024-06-01T10:00:00Z'],
  ])('a time keeps all its digits, in UTC: %s', (text, value) => {
    expect(convert('time', column('time'), text)).toBe(value);
  });

  it('a date of a time is the day in UTC', () => {
    expect(convert('date', column('time'), '2024-01-01 00:30:00+02')).toBe('2023-12-31');
  });

  it.each([
    'infinity',
    '-infinity',
    'soon',
    '2024-02-30',
    '2024-13-01',
    '2024-01-01 25:00:00',
    '0044-03-15 BC',
  ])('%s is no time', (text) => {
    expect(() => convert('time', column('text'), text)).toThrow(Refused);
  });

  it.each([
    ['t', true],
    ['NO', false],
    ['1', true],
  ])('reads %s as yes or no', (text, value) => {
    expect(convert('boolean', column('text'), text)).toBe(value);
  });

  it.each(['maybe', 'constructor', '__proto__', ''])('%s is neither yes nor no', (text) => {
    expect(() => convert('boolean', column('text'), text)).toThrow(Refused);
  });

  it('JSON keeps numbers that JavaScript would round, and leaves texts alone', () => {
    const json =
      '{"id": 12345678901234567890, "x": 1.5, "t": "12345678901234567890", "e": 1e400, "q": "a\\"1e400"}';
    expect(convert('any', column('json'), json)).toEqual({
      id: '12345678901234567890',
      x: 1.5,
      t: '12345678901234567890',
      e: '1e400',
      q: 'a"1e400',
    });
    fc.assert(
      fc.property(
        fc.jsonValue().map((value) => JSON.stringify(value)),
        (text) => {
          // Whole numbers beyond what is safe are text, also where they happen to be exact.
          fc.pre(!/\d{16}/.test(text));
          expect(JSON.stringify(convert('any', column('json'), text))).toBe(JSON.stringify(JSON.parse(text)));
        },
      ),
    );
  });

  it('arrays are lists, whatever their texts hold', () => {
    const list = column('text', 'text[]');
    expect(convert('any', list, '{a,"b c",NULL,"NULL","q\\"\\\\",{d,"e,f"}}')).toEqual([
      'a',
      'b c',
      null,
      'NULL',
      'q"\\',
      ['d', 'e,f'],
    ]);
    expect(convert('any', list, '{}')).toEqual([]);
    expect(convert('any', list, '[0:1]={x,y}')).toEqual(['x', 'y']);
  });

  it('other types in a field of text', () => {
    expect(convert('text', column('boolean'), 't')).toBe('true');
    expect(convert('text', column('json'), '{"a":1}')).toBe('{"a":1}');
    expect(convert('text', column('bytes'), '\\x00ff')).toBe('AP8=');
    expect(convert('text', column('number'), '1.500')).toBe('1.500');
  });

  it('a length is one of characters; choices are the only ones', () => {
    expect(convert('text', column('text'), '😀😀😀', { maxLength: 3 })).toBe('😀😀😀');
    expect(() => convert('text', column('text'), 'abcd', { maxLength: 3 })).toThrow('4 characters');
    expect(convert('text', column('text'), 'a', { options: ['a', 'b'] })).toBe('a');
    expect(() => convert('text', column('text'), 'secret', { options: ['a', 'b'] })).toThrow(
      /^Field takes only: a, b\.$/,
    );
  });
});
