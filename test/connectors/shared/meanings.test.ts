import { describe, expect, it } from 'vitest';
import { errorFor } from '../../../connectors/shared/meanings.ts';

describe('errorFor', () => {
  it('says what it means, by which names the vendor knows it, and what the vendor says', () => {
    const meaning = {
      code: 'NOT_FOUND',
      message: 'It does not know this list',
      fix: 'Choose another.',
    } as const;

    const error = errorFor(meaning, ['error 7', undefined, '', 'request r-1'], 'No such list.', 1000);

    expect(error).toMatchObject({
      code: 'NOT_FOUND',
      message: 'It does not know this list (error 7, request r-1). It says: No such list.',
      fix: 'Choose another.',
      retryAfterMs: undefined,
    });
  });

  it('names the wait when a pause is asked for', () => {
    const error = errorFor({ code: 'RATE_LIMITED', message: 'It asks for a pause' }, ['error 4'], '', 1000);

    expect(error).toMatchObject({
      message: 'It asks for a pause (error 4).',
      fix: undefined,
      retryAfterMs: 1000,
    });
  });
});
