import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, encodeCsv } from '../../../engine/files/csv.ts';
import { column, rowsOf, textOf } from './rows.ts';

const plain: CsvOptions = { delimiter: ',', header: true, nullText: '', bom: false, spreadsheet: false };

describe('CSV', () => {
  it('writes a header, CRLF after each line, and quotes only where they are needed', async () => {
    const rows = rowsOf(['1', 'plain'], ['2', 'a "b", c'], ['3', 'two\nlines'], ['4', ' edge']);

    const text = await textOf(encodeCsv(rows, [column('id', 'number'), column('na,me')], plain));

    expect(text).toBe('id,"na,me"\r\n1,plain\r\n2,"a ""b"", c"\r\n3,"two\nlines"\r\n4," edge"\r\n');
  });

  it('tells NULL from an empty text, and from a text that reads like it', async () => {
    const columns = [column('a'), column('b')];

    expect(await textOf(encodeCsv(rowsOf([null, '']), columns, { ...plain, header: false }))).toBe(',""\r\n');
    expect(
      await textOf(encodeCsv(rowsOf([null, '\\N']), columns, { ...plain, header: false, nullText: '\\N' })),
    ).toBe('\\N,"\\N"\r\n');
  });

  it('writes no empty line, which readers skip, for a NULL that stands alone', async () => {
    expect(await textOf(encodeCsv(rowsOf(['x'], [null], ['y']), [column('a')], plain))).toBe(
      'a\r\nx\r\n""\r\ny\r\n',
    );
  });

  it('writes the header alone when there are no rows', async () => {
    expect(await textOf(encodeCsv(rowsOf(), [column('a'), column('b')], plain))).toBe('a,b\r\n');
  });

  it('keeps every digit, and writes values of other types as people and programs read them', async () => {
    const columns = [
      column('big', 'number', 'numeric'),
      column('yes', 'boolean', 'boolean'),
      column('at', 'time', 'timestamp with time zone'),
      column('ends', 'time', 'timestamp with time zone'),
      column('clock', 'time', 'time without time zone'),
      column('doc', 'json', 'jsonb'),
      column('raw', 'bytes', 'bytea'),
      column('tags', 'text', 'text[]'),
    ];
    const row = [
      '12345678901234567890.123456789012345678',
      't',
      '2026-11-23 10:00:00.123456+01',
      'infinity',
      '09:30:00',
      '{"n": 12345678901234567890}',
      '\\x00ff',
      '{a,"b c",NULL}',
    ];

    const text = await textOf(encodeCsv(rowsOf(row), columns, { ...plain, header: false, delimiter: '\t' }));

    expect(text.trimEnd().split('\t')).toEqual([
      '12345678901234567890.123456789012345678',
      'true',
      '2026-11-23T09:00:00.123456Z',
      'infinity',
      '09:30:00',
      '"{""n"": 12345678901234567890}"',
      'AP8=',
      '"[""a"",""b c"",null]"',
    ]);
  });

  it('guards against formulas only when the file is for a spreadsheet, and never in numbers', async () => {
    const columns = [column('=id', 'number', 'integer'), column('text')];
    const rows = () => rowsOf(['-5', '=1+1'], ['5', '+49 170'], ['5', '@x'], ['5', '\t=x'], ['5', '-5']);

    const guarded = await textOf(encodeCsv(rows(), columns, { ...plain, spreadsheet: true }));
    const as = await textOf(encodeCsv(rows(), columns, plain));

    expect(guarded).toBe("'=id,text\r\n-5,'=1+1\r\n5,'+49 170\r\n5,'@x\r\n5,'\t=x\r\n5,'-5\r\n");
    expect(as).toBe('=id,text\r\n-5,=1+1\r\n5,+49 170\r\n5,@x\r\n5,"\t=x"\r\n5,-5\r\n');
  });

  it('begins with a byte order mark when asked, and quotes a value that begins with one', async () => {
    const text = await textOf(encodeCsv(rowsOf(['\uFEFFx']), [column('a')], { ...plain, bom: true }));

    expect(text).toBe('\uFEFFa\r\n"\uFEFFx"\r\n');
  });

  it.each([',', ';', '\t', '|'] as const)('reads back as it was, split by %j', async (delimiter) => {
    const cell = fc.oneof(
      fc.constantFrom(null, '', '"', '\r\n', ',', ';', '|', '\t', ' '),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
    );
    const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 8 });
    const columns = [column('a'), column('b'), column('c')];

    await fc.assert(
      fc.asyncProperty(rows, async (given) => {
        const text = await textOf(
          encodeCsv(rowsOf(...given), columns, { ...plain, header: false, delimiter, nullText: '\\N' }),
        );

        expect(parse(text, delimiter, '\\N')).toEqual(given);
      }),
      { numRuns: 200 },
    );
  });

  it('hands on blocks while rows still come', async () => {
    let asked = 0;
    async function* endless() {
      for (;;) {
        asked += 1;
        yield ['x'.repeat(100)];
      }
    }

    for await (const block of encodeCsv(endless(), [column('a')], plain)) {
      expect(block.byteLength).toBeGreaterThan(60_000);
      break;
    }

    expect(asked).toBeLessThan(1000);
  });
});

/** A reader of RFC 4180 of its own, so that the writer is not held to itself. */
function parse(text: string, delimiter: string, nullText: string): (string | null)[][] {
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)"|([^${delimiter}\\r]*))(${delimiter === '|' ? '\\|' : delimiter}|\\r\\n)`,
    'gy',
  );
  const rows: (string | null)[][] = [[]];
  for (const [, quoted, bare = '', end] of text.matchAll(cell)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? (bare === nullText ? null : bare));
    if (end === '\r\n') {
      rows.push([]);
    }
  }
  return rows.slice(0, -1);
}
