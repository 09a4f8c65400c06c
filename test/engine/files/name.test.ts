import { describe, expect, it } from 'vitest';
import { compileName, type NameFacts } from '../../../engine/files/name.ts';

const facts: NameFacts = {
  at: new Date('2026-11-23T23:05:00Z'),
  model: 'Big customers / Zürich',
  sync: 'weekly',
  run: '8d1f',
  part: 2,
};

describe('names of files', () => {
  it('fills in what it is about', () => {
    const name = compileName(
      '{{ yyyy }}/{{ mm }}/{{ dd }}/{{ model }}-{{sync}}-{{ hh }}{{ min }}-{{ run }}-{{ part }}.csv',
      'UTC',
    );

    expect(name.render(facts)).toBe('2026/11/23/Big-customers-Zürich-weekly-2305-8d1f-0002.csv');
    expect(name.uses.toSorted()).toEqual(['dd', 'hh', 'min', 'mm', 'model', 'part', 'run', 'sync', 'yyyy']);
  });

  it("goes by the sync's time zone", () => {
    expect(compileName('{{ date }}T{{ hh }}{{ min }}', 'Europe/Berlin').render(facts)).toBe(
      '2026-11-24T0005',
    );
    expect(compileName('{{ date }}T{{ hh }}{{ min }}', 'America/New_York').render(facts)).toBe(
      '2026-11-23T1805',
    );
  });

  it('takes filters of Liquid', () => {
    expect(compileName('sync={{ sync | upcase }}/{{ model | downcase }}', 'UTC').render(facts)).toBe(
      'sync=WEEKLY/big-customers-zürich',
    );
  });

  it.each([
    ['../../etc/passwd', 'etc-passwd'],
    ['a\\b:c*?"<>|', 'a-b-c'],
    ['..', 'unnamed'],
    ['/', 'unnamed'],
    ['.hidden', 'hidden'],
    ['naïve\u0000\n', 'naïve'],
    ['表 1', '表-1'],
  ])('makes one safe part of a path of the name %j', (model, part) => {
    expect(compileName('{{ model }}', 'UTC').render({ ...facts, model })).toBe(part);
  });

  it('refuses a name that it does not know, and says which was probably meant', () => {
    const error = thrown(() => compileName('{{ modle }}.csv', 'UTC'));

    expect(error).toMatchObject({
      code: 'TEMPLATE_INVALID',
      message: 'There is no "modle", which {{ modle }} asks for.',
      fix: 'Did you mean {{ model }}?',
    });
    expect(thrown(() => compileName('{{ customer_id }}.csv', 'UTC'))).toMatchObject({
      fix: expect.stringContaining('{{ date }} {{ yyyy }}'),
    });
    expect(thrown(() => compileName('{{ row.model }}.csv', 'UTC'))).toMatchObject({
      code: 'TEMPLATE_INVALID',
    });
  });

  it.each([
    '/etc/passwd',
    '../up.csv',
    'a/../b.csv',
    'a//b.csv',
    'a/./b.csv',
    'folder/',
    '',
    'a\\b.csv',
    'a\nb.csv',
    'what?.csv',
    ' a/ b.csv',
    `${'x'.repeat(250)}.csv`,
    "{{ model | append: '/../..' }}",
    '{{ unclosed',
    '{% if %}',
  ])('refuses %j', (template) => {
    expect(thrown(() => compileName(template, 'UTC'))).toMatchObject({ code: 'TEMPLATE_INVALID' });
  });
});

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
