import { describe, expect, it } from 'vitest';
import type { Column } from '../../../engine/contracts/source.ts';
import { addressIn } from '../../../engine/mail/address.ts';
import { type Letter, LetterText } from '../../../engine/mail/letter.ts';
import { createUnsubscribeLinks } from '../../../engine/mail/unsubscribe.ts';
import { mailSettings } from '../../../engine/model/mail.ts';
import { createVault } from '../../../engine/secrets.ts';
import { checkMail } from '../../../engine/setup/mail.ts';

const columns: readonly Column[] = ['name', 'link', 'email'].map((name) => ({
  name,
  type: 'text',
  native: 'text',
}));
const url = 'https://activate.acme.example/unsubscribe/token';
const hostile = '</p><script>alert(1)</script> [a](https://evil.example) *b* "c" \'d\'';

function write(texts: object, row: Readonly<Record<string, string>> = {}, unsubscribe?: string): Letter {
  const { subject, text, html, footer, unsubscribeLabel } = mailSettings.parse({
    to: 'email',
    subject: 'Hello {{ name }}',
    text: 'Hello {{ name }}',
    ...texts,
  });
  return new LetterText({ subject, text, html, footer, unsubscribeLabel }, columns).write({
    row: { name: 'Ann', link: '', email: '', ...row },
    previous: { name: 'Anna' },
    change: 'changed',
    name: 'welcome',
    unsubscribe,
  });
}

describe('the HTML of a mail', () => {
  it('is made from the text, with its formatting and its links', () => {
    const { html, text } = write({ text: '*Hi* {{ name }}\n\n[Plans](https://acme.example/plans?a=1&b=2)' });

    expect(html).toContain('<strong>Hi</strong> Ann</p>');
    expect(html).toContain('<a href="https://acme.example/plans?a=1&amp;b=2"');
    expect(text).toBe('Hi Ann\n\nPlans (https://acme.example/plans?a=1&b=2)\n');
  });

  it.each([
    ['made from the text', { text: '{{ name }}' }],
    ['written by hand', { html: '<p title="{{ name }}">{{ name }}</p>' }],
    ['written to let values through', { html: '<p>{{ name | raw }}</p>' }],
  ])('holds values as text alone when it is %s', (_how, texts) => {
    const { html } = write(texts, { name: hostile });

    expect(html).not.toContain('<script');
    expect(html).toContain('&lt;script&gt;');
    expect(html).not.toContain('href="https://evil.example');
    expect(html).not.toMatch(/title="[^"]*"c"/);
  });

  it('has the link once: where it was put, or in the footer', () => {
    const own = write({ html: '<body><p><a href="{{ unsubscribe_url }}">Off</a></p></body>' }, {}, url);
    const ours = write({ footer: 'Acme <Inc.>', unsubscribeLabel: 'Abmelden' }, {}, url);

    expect(own.html.split(url)).toHaveLength(2);
    expect(ours.html.split(url)).toHaveLength(2);
    expect(ours.html).toContain('Acme &lt;Inc.&gt;');
    expect(ours.html).toContain('>Abmelden</a>');
    expect(ours.text).toBe(`Hello Ann\n\n-- \nAcme <Inc.>\nAbmelden: ${url}\n`);
  });

  it('keeps a document that was written whole', () => {
    const { html } = write({ html: '<html><body><p>Hi</p></body></html>', footer: 'Acme' });

    expect(html).toMatch(/^<html><body><p>Hi<\/p><p[^>]*>Acme<\/p>\n<\/body><\/html>$/);
  });
});

describe('the subject of a mail', () => {
  it('is one line, whatever the row holds', () => {
    expect(write({}, { name: 'Ann\r\nBcc: x@y.example\u0000' }).subject).toBe('Hello Ann Bcc: x@y.example');
  });

  it('can say what was before', () => {
    expect(write({ subject: '{{ previous.name }} is {{ name }}' }).subject).toBe('Anna is Ann');
  });
});

describe('what a mailing can not be', () => {
  const about = { columns, key: ['name'], timeZone: 'UTC', publicUrl: 'https://activate.acme.example' };
  const settings = (given: object) =>
    mailSettings.parse({ to: 'email', subject: 'Hi', text: 'Hi', ...given });

  it.each([
    [{ to: 'mail' }, 'to'],
    [{ trigger: 'changed', watch: ['nothing'] }, 'watch'],
    [{ trigger: 'threshold' }, 'threshold'],
    [{ trigger: 'threshold', threshold: { on: 'count', test: 'above', limit: 1 } }, 'on'],
    [{ trigger: 'threshold', threshold: { on: 'value', column: 'x', test: 'above', limit: 1 } }, 'column'],
  ])('%j is said at its field', async (given, field) => {
    await expect(checkMail(settings(given), about)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      fields: { [field]: expect.any(String) },
    });
  });

  it('needs an address that people reach, and better an encrypted one', async () => {
    await expect(checkMail(settings({}), { ...about, publicUrl: undefined })).rejects.toMatchObject({
      fields: { unsubscribe: expect.stringContaining('PUBLIC_URL') },
    });
    expect(await checkMail(settings({}), { ...about, publicUrl: 'http://localhost:3000' })).toEqual([
      expect.stringContaining('https'),
    ]);
    expect(await checkMail(settings({ unsubscribe: false }), { ...about, publicUrl: undefined })).toEqual([]);
    expect(await checkMail(settings({}), about)).toEqual([]);
  });
});

describe('a link to unsubscribe', () => {
  const vault = createVault('k'.repeat(32));
  const links = createUnsubscribeLinks(vault, 'https://activate.acme.example');
  const leave = { address: 'ann@customer.example', list: 'trials' };

  it('is read by whoever made it, and by no other installation', () => {
    const token = links.linkFor(leave)?.split('/').at(-1) ?? '';

    expect(token).toMatch(/^[\w-]+$/);
    expect(links.read(token)).toEqual(leave);
    expect(createUnsubscribeLinks(createVault('x'.repeat(32)), undefined).read(token)).toBeUndefined();
  });

  it('is not anything else that was sealed here', () => {
    const sealed = Buffer.from(vault.seal({ ...leave, password: 'x' }), 'base64').toString('base64url');

    expect(links.read(sealed)).toBeUndefined();
  });
});

describe('an address', () => {
  it.each([
    [' Ann@Customer.Example ', { value: 'ann@customer.example' }],
    ['ann@müller.example', { value: 'ann@müller.example' }],
    ['', undefined],
    [null, undefined],
    ['ann', { unusable: 'This is not an e-mail address.' }],
  ])('%j is %j', (text, formed) => {
    expect(addressIn(text)).toEqual(formed);
  });
});
