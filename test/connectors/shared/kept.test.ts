import { describe, expect, it } from 'vitest';
import { keptAsSeen } from '../../../connectors/shared/kept.ts';

describe('keptAsSeen', () => {
  it('reads once for whoever asks what is known, and anew for whoever wants it fresh', async () => {
    const asked: string[] = [];
    const { fresh, known } = keptAsSeen(async (name) => {
      asked.push(name);
      return asked.length;
    });

    expect(await known('contacts')).toBe(1);
    expect(await known('contacts')).toBe(1);
    expect(await fresh('contacts')).toBe(2);
    expect(await known('contacts')).toBe(2);
    expect(await known('companies')).toBe(3);
    expect(asked).toEqual(['contacts', 'contacts', 'companies']);
  });
});
