import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonAs, readOr } from '../../../connectors/shared/json.ts';

const shape = z.object({ message: z.string(), code: z.number().default(0) });

describe('jsonAs', () => {
  it('reads what is of the shape, and leaves out the rest', () => {
    expect(jsonAs('{"message": "No.", "more": [1]}', shape)).toEqual({ message: 'No.', code: 0 });
  });

  it.each(['', '<html>Bad Gateway</html>', '{"message": "No."', '{"message": 7}', 'null'])(
    'knows that %o is something else',
    (text) => {
      expect(jsonAs(text, shape)).toBeUndefined();
    },
  );
});

describe('readOr', () => {
  const read = readOr('It answered with something else.');

  it('reads what is needed', () => {
    expect(read(shape, { message: 'Yes.', code: 2, more: true })).toEqual({ message: 'Yes.', code: 2 });
  });

  it('says that nobody knows what was done when it is not there', () => {
    expect(() => read(shape, { code: 2 })).toThrow(
      expect.objectContaining({ code: 'OUTCOME_UNKNOWN', message: 'It answered with something else.' }),
    );
  });
});
