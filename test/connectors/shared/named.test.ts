import { describe, expect, it } from 'vitest';
import { nearest, optionOf, optionsWith } from '../../../connectors/shared/named.ts';

const named = (...names: readonly string[]) => names.map((name, at) => ({ id: `N${at}`, name }));

describe('nearest', () => {
  it('has the very name first, then what begins like it, then what has it within', () => {
    const all = named('The buyers', 'Buyers of May', 'Visitors', 'All buyers', 'BUYERS', 'Buyers of April');

    expect(nearest(all, ' buyers ').map(({ name }) => name)).toEqual([
      'BUYERS',
      'Buyers of April',
      'Buyers of May',
      'All buyers',
      'The buyers',
    ]);
  });

  it('finds by an id too', () => {
    expect(nearest([{ id: '4711', name: 'Buyers' }, ...named('Visitors')], '4711')).toEqual([
      { id: '4711', name: 'Buyers' },
    ]);
  });

  it('has a hundred at most', () => {
    expect(nearest(named(...Array.from({ length: 120 }, (_, at) => `List ${at}`)), '')).toHaveLength(100);
  });
});

describe('optionOf', () => {
  it('cuts long names where platforms do', () => {
    expect(optionOf({ id: '1', name: 'x'.repeat(80) })).toEqual({ value: '1', label: 'x'.repeat(75) });
  });
});

describe('optionsWith', () => {
  it('looks into what is shown and into what it stands for', () => {
    const options = [
      { value: 'contacts', label: 'People' },
      { value: 'companies', label: 'Companies' },
    ];

    expect(optionsWith(' PEOP', options)).toEqual([options[0]]);
    expect(optionsWith('contact', options)).toEqual([options[0]]);
    expect(optionsWith('', options)).toEqual(options);
  });
});
