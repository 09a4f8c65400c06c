import { describe, expect, it } from 'vitest';
import { hasCode, nothingOn } from '../../../connectors/shared/thrown.ts';
import { ActivateError } from '../../../engine/contracts/errors.ts';

const gone = new ActivateError('NOT_FOUND', 'It is gone.');

describe('hasCode', () => {
  it('knows an error of ours by any of its codes', () => {
    expect(hasCode(gone, 'PERMISSION_DENIED', 'NOT_FOUND')).toBe(true);
    expect(hasCode(gone, 'PERMISSION_DENIED')).toBe(false);
    expect(hasCode({ code: 'NOT_FOUND' }, 'NOT_FOUND')).toBe(false);
  });
});

describe('nothingOn', () => {
  it('makes nothing of these codes, and throws on the others', async () => {
    expect(await Promise.reject(gone).catch(nothingOn('NOT_FOUND'))).toBeUndefined();
    await expect(Promise.reject(gone).catch(nothingOn('EXISTS'))).rejects.toBe(gone);
  });
});
