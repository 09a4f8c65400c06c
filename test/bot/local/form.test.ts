import { describe, expect, it } from 'vitest';
import { drawForm, readForm, readRaw } from '../../../bot/local/form.ts';
import { type Form, field } from '../../../engine/contracts/form.ts';

const hostile = `"><script>alert(1)</script>' onfocus='x`;

function form(given: Partial<Form>): Form {
  const none = { intro: [], fields: {}, initial: {}, errors: {}, hidden: {} };
  return { command: 'new-alert', title: 'New alert', submit: 'Next', ...none, ...given };
}

describe('drawForm', () => {
  it('lets no value become markup in any kind of field', () => {
    const fields = {
      a: field.text({ label: hostile, help: hostile, placeholder: hostile }),
      b: field.area({ label: 'B', language: 'sql', placeholder: hostile }),
      c: field.number({ label: 'C' }),
      d: field.choice({ label: 'D', of: { [hostile]: hostile, other: 'Other' } }),
      e: field.lookup({ label: 'E', lookup: 'tables' }),
      f: field.lookups({ label: 'F', lookup: 'tables' }),
      g: field.optional(field.choice({ label: 'G', of: { [hostile]: hostile } })),
    };
    const initial = Object.fromEntries(Object.keys(fields).map((name) => [name, hostile]));
    const errors = { ...initial, '': hostile };

    const { payload } = drawForm(
      form({
        title: hostile,
        submit: hostile,
        command: hostile,
        fields,
        initial,
        errors,
        hidden: { [hostile]: hostile },
        back: { x: hostile },
      }),
    );

    expect(payload).not.toContain('<script');
    expect(payload).not.toContain("' onfocus");
    expect(payload.replace(/<[a-z0-9/]+(\s[a-z-]+(="[^"<>]*")?)*\s*>/g, '')).not.toMatch(/[<>"]/);
  });

  it('shows an error at its field, tied to it for screen readers', () => {
    const { payload } = drawForm(
      form({
        fields: { name: field.text({ label: 'Name' }) },
        errors: { name: 'Fill this in.', '': 'Not yet.' },
      }),
    );

    expect(payload).toMatch(/id="field-name"[^>]* aria-describedby="field-name-error" aria-invalid="true"/);
    expect(payload).toContain('<p class="error" id="field-name-error">Fill this in.</p>');
    expect(payload).toContain('<p class="form-error" role="alert">Not yet.</p>');
  });

  it('never shows a secret again', () => {
    const { payload } = drawForm(
      form({ fields: { password: field.secret({ label: 'Password' }) }, initial: { password: 'hunter2' } }),
    );

    expect(payload).toContain('type="password"');
    expect(payload).not.toContain('hunter2');
  });

  it('keeps the first empty line of a text', () => {
    const { payload } = drawForm(
      form({ fields: { sql: field.area({ label: 'SQL' }) }, initial: { sql: '\nselect 1' } }),
    );

    // A parser drops one line break right after the tag, so two leave one.
    expect(payload).toMatch(/<textarea[^>]*>\n\nselect 1<\/textarea>/);
  });
});

describe('readForm', () => {
  it('gives fields and hidden values by name, and the way back wins', () => {
    const body = { 'f.name': 'Ada', 'h.draft': '7', 'h.step': '2', back: '{"step":"1"}', other: 'x' };

    expect(readForm(body)).toEqual({ name: 'Ada', draft: '7', step: '1' });
  });

  it('writes several values as JSON, even one alone, so that a comma in a value stays', () => {
    expect(readForm({ 'm.to': ['', 'Smith, John'] })).toEqual({ to: '["Smith, John"]' });
    expect(readForm({ 'm.to': ['', 'a', 'b'] })).toEqual({ to: '["a","b"]' });
    expect(readForm({ 'm.to': '' })).toEqual({ to: '' });
  });

  it.each([[undefined], [null], ['text'], [{ 'f.x': { nested: 1 }, back: '{"a":1' }], [{ back: '[1]' }]])(
    'reads %j without falling over',
    (body) => {
      expect(Object.values(readForm(body)).every((value) => typeof value === 'string')).toBe(true);
    },
  );

  it('takes texts only from JSON', () => {
    expect(readRaw('{"a":"1","b":2,"c":null,"d":{"e":"f"}}')).toEqual({ a: '1' });
    expect(readRaw('nonsense')).toEqual({});
  });
});
