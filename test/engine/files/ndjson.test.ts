import { describe, expect, it } from 'vitest';
import { encodeNdjson } from '../../../engine/files/ndjson.ts';
import { column, rowsOf, textOf } from './rows.ts';

describe('NDJSON', () => {
  it('writes one object a line, keys in the order of the columns, even those that look like numbers', async () => {
    const rows = rowsOf(['a', null], ['b', 'line\nbreak']);

    const text = await textOf(encodeNdjson(rows, [column('z'), column('1')]));

    expect(text).toBe('{"z":"a","1":null}\n{"z":"b","1":"line\\nbreak"}\n');
  });

  it.each([
    ['number', 'integer', '42', '42'],
    ['number', 'numeric', '0.1', '0.1'],
    ['number', 'bigint', '9007199254740991', '9007199254740991'],
    ['number', 'bigint', '9007199254740993', '"9007199254740993"'],
    ['number', 'numeric', '0.1000000000000000055', '"0.1000000000000000055"'],
    ['number', 'double precision', 'NaN', '"NaN"'],
    ['boolean', 'boolean', 'f', 'false'],
    ['time', 'timestamp with time zone', '2026-11-23 10:00:00.000001+00', '"2026-11-23T10:00:00.000001Z"'],
    ['time', 'date', '2026-11-23', '"2026-11-23"'],
    ['time', 'timestamp without time zone', '-infinity', '"-infinity"'],
    ['bytes', 'bytea', '\\x00ff', '"AP8="'],
    [
      'json',
      'json',
      '{"n": 12345678901234567890,\n"s": "a\\nb"}',
      '{"n": 12345678901234567890, "s": "a\\nb"}',
    ],
    ['text', 'text[]', '{a,NULL}', '["a",null]'],
  ] as const)('writes %s (%s) %s as %s', async (type, native, given, written) => {
    const text = await textOf(encodeNdjson(rowsOf([given]), [column('v', type, native)]));

    expect(text).toBe(`{"v":${written}}\n`);
    expect(() => JSON.parse(text)).not.toThrow();
  });

  it('writes nothing when there are no rows', async () => {
    expect(await textOf(encodeNdjson(rowsOf(), [column('a')]))).toBe('');
  });
});
