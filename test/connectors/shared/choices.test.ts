import { describe, expect, it } from 'vitest';
import { chosen, namesIn } from '../../../connectors/shared/choices.ts';

describe('namesIn', () => {
  it.each([
    [
      ['a ', ' b'],
      ['a', 'b'],
    ],
    ['a, b,,', ['a', 'b']],
    [7, ['7']],
    [null, []],
  ])('%o are %o', (value, names) => {
    expect(namesIn(value)).toEqual(names);
  });
});

describe('chosen', () => {
  const options = [
    { id: 1, names: ['high', 'p1'] },
    { id: 2, names: [' High '] },
  ];
  const choose = (name: string) => chosen('Priority', options, name, ({ names }) => names).id;

  it('prefers the very name, and overlooks case and spaces otherwise', () => {
    expect(choose(' High ')).toBe(2);
    expect(choose('P1')).toBe(1);
  });

  it('refuses the row when there is no such option', () => {
    expect(() => choose('Low')).toThrow(
      expect.objectContaining({
        code: 'ROW_REJECTED',
        message: 'Priority has no option of the name that the row gives.',
      }),
    );
  });
});
