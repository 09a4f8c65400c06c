import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Card } from '../../../engine/contracts/card.ts';
import { maskCard } from '../../../engine/personal/card.ts';
import { kindOfName, type PersonalKind, personalColumns } from '../../../engine/personal/columns.ts';
import {
  maskCells,
  masked,
  maskKey,
  maskRow,
  maskTable,
  maskText,
  maskValue,
} from '../../../engine/personal/mask.ts';
import { mayBeShown } from '../../../engine/personal/may-see.ts';

const kinds: readonly PersonalKind[] = ['email', 'phone', 'name', 'address', 'birth', 'ip', 'id', 'other'];

describe('the name of a column', () => {
  it.each([
    ['email', 'email'],
    ['e_mail', 'email'],
    ['E-Mail', 'email'],
    ['customerEmail', 'email'],
    ['owner_email', 'email'],
    ['email_address', 'email'],
    ['work_email_2', 'email'],
    ['mail', 'email'],
    ['courriel', 'email'],
    ['correo_electrónico', 'email'],
    ['phone', 'phone'],
    ['Phone Number', 'phone'],
    ['mobile', 'phone'],
    ['MobilePhone', 'phone'],
    ['téléphone', 'phone'],
    ['handy', 'phone'],
    ['msisdn', 'phone'],
    ['first_name', 'name'],
    ['FirstName', 'name'],
    ['firstname', 'name'],
    ['last_name', 'name'],
    ['surname', 'name'],
    ['full_name', 'name'],
    ['customer_name', 'name'],
    ['Vorname', 'name'],
    ['prénom', 'name'],
    ['apellidos', 'name'],
    ['username', 'name'],
    ['address', 'address'],
    ['shipping_address_line_1', 'address'],
    ['street', 'address'],
    ['Straße', 'address'],
    ['zip', 'address'],
    ['postalCode', 'address'],
    ['PLZ', 'address'],
    ['dirección', 'address'],
    ['birthday', 'birth'],
    ['date_of_birth', 'birth'],
    ['dob', 'birth'],
    ['Geburtsdatum', 'birth'],
    ['fecha_de_nacimiento', 'birth'],
    ['ip', 'ip'],
    ['ip_address', 'ip'],
    ['last_login_ip', 'ip'],
    ['ssn', 'id'],
    ['passport_number', 'id'],
    ['iban', 'id'],
    ['device_id', 'id'],
    ['idfa', 'id'],
    ['advertising_id', 'id'],
    ['credit_card_number', 'id'],
    ['steuer_id', 'id'],
    ['cpf', 'id'],
  ])('%s tells %s', (name, kind) => {
    expect(kindOfName(name)).toBe(kind);
  });

  it.each([
    'id',
    'user_id',
    'name',
    'product_name',
    'company_name',
    'workspace',
    'workspace_id',
    'country',
    'city',
    'seats',
    'used',
    'included',
    'plan',
    'description',
    'zipped',
    'email_domain',
    'emails_sent',
    'email_verified',
    'mailing_list',
    'phone_model',
    'shipping',
    'tip',
    'recipe',
    'address_count',
    'web_address',
    'wallet_address',
    'streetwear',
    'ad_group',
    'device',
    'card',
    'scorecard',
    'created_at',
  ])('%s tells nothing', (name) => {
    expect(kindOfName(name)).toBeUndefined();
  });
});

describe('personal columns', () => {
  const columns = [
    { name: 'id', type: 'number' },
    { name: 'email', type: 'text' },
    { name: 'phone', type: 'number' },
    { name: 'email_2', type: 'boolean' },
    { name: 'birthday', type: 'time' },
    { name: 'last_name', type: 'time' },
    { name: 'nickle', type: 'text' },
  ] as const;

  it('are recognised by name and type', () => {
    expect([...personalColumns(columns, null)]).toEqual([
      ['email', 'email'],
      ['phone', 'phone'],
      ['birthday', 'birth'],
    ]);
  });

  it('are those that somebody named, and no others', () => {
    expect([...personalColumns(columns, ['nickle', 'email', 'gone'])]).toEqual([
      ['email', 'email'],
      ['nickle', 'other'],
    ]);
    expect([...personalColumns(columns, [])]).toEqual([]);
  });
});

describe('a masked value', () => {
  it.each<[PersonalKind, string, string]>([
    ['email', 'mia@example.com', 'm•••@e•••.com'],
    ['email', 'mia.lopez@mail.northwind.co.uk', 'm•••@m•••.uk'],
    ['email', 'm@x.io', '•••@•••.io'],
    ['email', 'not an address', 'n•••'],
    ['phone', '+49 170 1234512', '+49•••12'],
    ['phone', '0170 1234512', '•••12'],
    ['phone', '12345', '•••'],
    ['name', 'Mia Lopez', 'M••• L•••'],
    ['name', 'Li Wu', '••• •••'],
    ['name', 'Ünal', 'Ü•••'],
    ['address', 'Hauptstraße 5', 'H•••'],
    ['address', '221b Baker Street', '•••'],
    ['address', '10115', '•••'],
    ['birth', '1984-02-29', '1984-•••'],
    ['birth', '29.02.1984', '•••'],
    ['ip', '203.0.113.7', '203.•••'],
    ['ip', '2001:db8::1', '•••'],
    ['id', 'DE89370400440532013000', '•••00'],
    ['id', '123-45-6742', '•••42'],
    ['id', '4711', '•••'],
    ['other', 'mia@example.com', 'm•••@e•••.com'],
    ['other', '4915112345', '•••45'],
    ['other', 'Sunshine', 'S•••'],
    ['other', 'ab', '•••'],
    ['name', '', ''],
  ])('%s: %s is %s', (kind, value, shown) => {
    expect(maskValue(kind, value)).toBe(shown);
  });

  it('never holds the value', () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 4 }),
      fc.emailAddress(),
      fc.ipV4(),
      fc.ipV6(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.stringMatching(/^\+?[\d ()-]{4,20}$/),
      fc.stringMatching(/^[•@.a-z ]{4,12}$/),
    );
    fc.assert(
      fc.property(fc.constantFrom(...kinds), value, (kind, text) => {
        fc.pre(text.trim() !== '');
        expect(maskValue(kind, text)).not.toContain(text);
      }),
      { numRuns: 3000 },
    );
  });

  it('gives away at most a third of a value, beside where its host ends and the year', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<PersonalKind>('name', 'address', 'id', 'phone', 'other'),
        fc.stringMatching(/^[a-z0-9]{4,20}$/),
        (kind, text) => {
          const kept = maskValue(kind, text).replaceAll('•', '');
          expect(kept.length).toBeLessThanOrEqual(Math.max(1, Math.floor(text.length / 3)));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('a masked text', () => {
  it.each([
    ['Row mia@example.com was refused.', 'Row m•••@e•••.com was refused.'],
    ['{"email":"mia@example.com","n":1}', '{"email":"m•••@e•••.com","n":1}'],
    ['<mia@example.com>, ada@example.org', '<m•••@e•••.com>, a•••@e•••.org'],
    ['call +49 170 1234512 or 0049 170 1234512', 'call +49•••12 or 004•••12'],
    ['IBAN DE89 3704 0044 0532 0130 00', 'IBAN •••00'],
    ['postgres://mia@db.example.com/x', 'postgres://mia@db.example.com/x'],
    ['row 42 of 2026-03-01T10:00:00+01:00, 00000000-0000-4000-8000-000000000000', undefined],
    ['version 1.2.3, 10.0.0.1, 12,345 rows, a @ b', undefined],
  ])('%s', (text, shown) => {
    expect(masked(text)).toBe(shown ?? text);
  });

  it('stays what it is when it is masked again', () => {
    const once = masked('mia@example.com, +49 170 1234512, DE89370400440532013000');

    expect(masked(once)).toBe(once);
  });

  it('never holds an address', () => {
    fc.assert(
      fc.property(fc.string(), fc.emailAddress(), fc.string(), (before, email, after) => {
        // Signs are allowed there as well, and used by nobody.
        fc.pre(/\w@/.test(email));
        const text = `${before} ${email} ${after}`;
        expect(masked(text)).not.toContain(email);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a masked row', () => {
  const personal = personalColumns(
    ['id', 'email', 'full_name', 'note'].map((name) => ({ name, type: 'text' })),
    null,
  );
  const row = {
    id: '42',
    email: 'mia@example.com',
    full_name: 'Mia Lopez',
    note: 'write to ada@example.com',
    x: null,
  };

  it('keeps what tells nothing', () => {
    expect(maskRow(row, personal)).toEqual({
      id: '42',
      email: 'm•••@e•••.com',
      full_name: 'M••• L•••',
      note: 'write to a•••@e•••.com',
      x: null,
    });
    expect(maskCells(['42', 'Mia Lopez', null], ['id', 'full_name', 'email'], personal)).toEqual([
      '42',
      'M••• L•••',
      null,
    ]);
  });

  it('is masked in a table', () => {
    const columns = [
      { name: 'id', type: 'text', native: 'text' },
      { name: 'full_name', type: 'text', native: 'text' },
    ] as const;

    expect(maskTable({ columns, rows: [['42', 'Mia Lopez']] }, personal).rows).toEqual([['42', 'M••• L•••']]);
  });

  it.each([
    ['42', ['id'], '42'],
    ['Mia Lopez', ['full_name'], 'M••• L•••'],
    ['eu / mia@example.com', ['region', 'email'], 'eu / m•••@e•••.com'],
    ['a / b / mia@example.com', ['region', 'email'], 'a / b / m•••@e•••.com'],
    ['+49 170 1234512', [], '+49•••12'],
  ])('has the key %s of %j as %s', (key, columns, shown) => {
    expect(maskKey(key, columns, personal)).toBe(shown);
  });

  it('is masked in a text that was made of it, in capitals or not', () => {
    const text = 'Dear MIA LOPEZ (Mia Lopez), we wrote to mia@example.com about 42 and to ada@example.com.';

    expect(maskText(text, [row], personal)).toBe(
      'Dear M••• L••• (M••• L•••), we wrote to m•••@e•••.com about 42 and to a•••@e•••.com.',
    );
  });

  it('is nowhere in a text that was made of it', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 4, maxLength: 12 })
      .filter((one) => one.trim().length > 3);
    fc.assert(
      fc.property(word, fc.emailAddress(), fc.string({ maxLength: 10 }), (full_name, email, other) => {
        const made = { id: '1', full_name: full_name.trim(), email, note: null };
        const shown = maskText(
          `${other} ${made.full_name}, ${email}; ${made.full_name.toUpperCase()}`,
          [made],
          personal,
        );
        expect(shown).not.toContain(email);
        // A name that is written in the dots themselves can't be told from them.
        fc.pre(!/^[•\s]+$/.test(made.full_name));
        expect(shown).not.toContain(made.full_name);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a masked card', () => {
  it('has every text in it gone through, and keeps people whom the platform knows', () => {
    const person = { kind: 'person', platform: 'slack', id: 'U1' } as const;
    const card: Card = {
      title: 'mia@example.com',
      fallback: 'mia@example.com',
      blocks: [
        { type: 'heading', text: 'mia@example.com' },
        { type: 'code', text: 'mia@example.com' },
        { type: 'table', columns: ['email'], rows: [['mia@example.com']], total: 1 },
        { type: 'fields', items: [{ label: 'E-mail', value: [{ type: 'code', text: 'mia@example.com' }] }] },
        {
          type: 'text',
          text: [
            'mia@example.com',
            { type: 'bold', text: ['mia@example.com'] },
            { type: 'link', text: ['mia@example.com'], url: 'https://x.example.com/mia@example.com' },
            { type: 'mention', name: 'mia@example.com' },
            { type: 'break' },
          ],
        },
        { type: 'context', text: [{ type: 'mention', name: 'Mia', person }] },
        { type: 'divider' },
        {
          type: 'actions',
          actions: [{ type: 'link', label: 'mia@example.com', url: 'https://x.example.com' }],
        },
      ],
    };

    const shown = JSON.stringify(maskCard(card, masked));

    expect(shown).not.toContain('mia@example.com');
    expect(shown).toContain(JSON.stringify({ type: 'mention', name: 'Mia', person }));
  });
});

describe('who may see personal data', () => {
  it.each([
    ['approver', true, true],
    ['admin', true, true],
    ['editor', true, false],
    ['viewer', true, false],
    ['admin', false, false],
    ['admin', undefined, false],
  ] as const)('%s, direct: %s', (role, direct, shown) => {
    expect(mayBeShown({ role, ...(direct === undefined ? {} : { direct }) }, 'approver')).toBe(shown);
  });
});
