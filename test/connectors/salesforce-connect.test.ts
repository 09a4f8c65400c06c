import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { salesforce } from '../../connectors/salesforce/index.ts';
import type { Operation } from '../../engine/contracts/destination.ts';
import { startSalesforce } from '../fakes/salesforce.ts';
import { failed } from '../fakes/salesforce-answers.ts';
import { contactsOf, stageSalesforce } from '../fakes/salesforce-stage.ts';
import { call, openFor } from '../support/connect.ts';

describe('salesforce: signing in and looking around', () => {
  const start = stageSalesforce();

  it('calls only My Domain hosts of Salesforce, however they are written', async () => {
    const open = async (host: string, baseUrl?: string): Promise<void> => {
      const opened = await openFor(salesforce, {
        host,
        clientId: 'k',
        clientSecret: 's',
        ...(baseUrl === undefined ? {} : { baseUrl }),
      });
      await opened.close();
    };

    for (const good of [
      'acme.my.salesforce.com',
      'https://acme--dev.sandbox.my.salesforce.com/',
      'ACME-dev-ed.develop.my.salesforce.com',
    ]) {
      await expect(open(good), good).resolves.toBeUndefined();
    }
    for (const evil of [
      'acme.my.salesforce.com.evil.example',
      'evil.example/.my.salesforce.com',
      'evil.example?.my.salesforce.com',
      'evil.example#.my.salesforce.com',
      'acme.my.salesforce.com@evil.example',
      'user:pass@acme.my.salesforce.com',
      'acmemy.salesforce.com',
      'my.salesforce.com',
      'acme.my.salesforce.com:8443',
      'https://evil.example\\.my.salesforce.com',
      'login.salesforce.com',
    ]) {
      await expect(open(evil), evil).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        fields: { host: expect.any(String) },
      });
    }
    await expect(open('acme.my.salesforce.com', 'https://gateway.example/salesforce')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { baseUrl: expect.any(String) },
    });
  });

  it('signs in with a private key, even one that a form has made one line of', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const fake = await startSalesforce();
    fake.state.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { clientSecret: _secret, ...others } = fake.config;

    for (const text of [
      pem,
      pem.replaceAll('\n', ' '),
      pem.replaceAll('\n', '\\n'),
      pem.replaceAll('\n', ''),
    ]) {
      const opened = await openFor(salesforce, {
        ...others,
        username: 'integration@acme.example',
        privateKey: text,
      });

      expect(await opened.connection.check('objects')).toEqual([]);
      await opened.close();
    }
    await fake.close();
    fake.expectNoUnexpected();
  });

  it.each([
    ['neither', {}, 'clientSecret'],
    ['both', { clientSecret: 's', privateKey: 'p' }, 'clientSecret'],
    ['no user', { privateKey: 'p' }, 'username'],
    ['no key', { privateKey: 'hunter2-hunter2', username: 'u' }, 'privateKey'],
  ])('says which field is at fault when there is %s', async (_name, more, at) => {
    const opening = openFor(salesforce, { host: 'acme.my.salesforce.com', clientId: 'k', ...more });

    await expect(opening).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { [at]: expect.any(String) },
    });
    await expect(opening).rejects.not.toThrow('hunter2');
  });

  it('gets one token for all who wait for it, and one more when it has expired', async () => {
    const { fake, objects } = await start();

    await Promise.all([objects.objects(''), objects.fields('Contact'), objects.fields('Account')]);
    const before = fake.state.tokensMade;
    fake.state.tokens.clear();
    await Promise.all([objects.objects(''), objects.fields('Contact'), objects.fields('Account')]);

    expect([before, fake.state.tokensMade]).toEqual([1, 2]);
  });

  it('gives up after one new token when 401 stays, where jsforce would ask for ever', async () => {
    const { fake, objects } = await start();
    await objects.objects('');
    const refusal = failed(401, 'INVALID_SESSION_ID', 'Session expired or invalid');

    fake.next(refusal, undefined, refusal);

    await expect(objects.objects('')).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
    expect(fake.state.tokensMade).toBe(2);
  });

  it('takes a token request that is still being processed for something that passes', async () => {
    const { fake, objects } = await start();
    fake.always({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'token request is already being processed' },
    });

    await expect(objects.objects('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    fake.heal();
    expect((await objects.objects('Contact')).map(({ value }) => value)).toEqual(['Contact']);
  });

  it('says that tokens are given at My Domain only', async () => {
    const { fake, opened } = await start();
    fake.next({
      status: 400,
      json: { error: 'invalid_grant', error_description: 'request not supported on this domain' },
    });

    await expect(opened.connection.check('objects')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { host: expect.any(String) },
    });
  });

  it('sends the token nowhere else, whatever instance the answer names', async () => {
    const { fake, objects } = await start();

    await objects.objects('');

    // The fake answers with an instance_url of evil.example; with that, nothing would have arrived here.
    expect(fake.to('GET /services/data/v66.0/sobjects')).toHaveLength(1);
  });

  it('offers kinds that can be written, and fields with their types, lengths, choices and keys', async () => {
    const { objects } = await start();

    const kinds = await objects.objects('');
    const fields = await objects.fields('Contact');

    expect(kinds.map(({ value }) => value)).toEqual(['Account', 'Contact', 'Task']);
    const byName = Object.fromEntries(fields.map(({ label: _label, ...field }) => [field.name, field]));
    expect(byName).toMatchObject({
      Id: { type: 'text', key: true, required: false },
      LastName: { type: 'text', required: true, key: false, maxLength: 80 },
      Email: { type: 'text', key: true, required: false },
      Ext_Id__c: { key: true },
      Score__c: { type: 'number' },
      Active__c: { type: 'boolean', required: false },
      Seen__c: { type: 'time' },
      Plan__c: { options: ['Free', 'Pro'] },
      Topics__c: { type: 'any' },
    });
    expect(byName['Total__c']).toBeUndefined();
    expect(byName['CreatedDate']).toBeUndefined();
  });

  it('looks at fields anew each time', async () => {
    const { fake, objects } = await start();
    await objects.fields('Contact');
    const kind = fake.state.org.kind('Contact');
    kind.fields.splice(
      kind.fields.findIndex(({ name }) => name === 'Score__c'),
      1,
    );

    const fields = await objects.fields('Contact');

    expect(fields.map(({ name }) => name)).not.toContain('Score__c');
    await expect(
      objects.write(contactsOf('upsert', [{ Ext_Id__c: 'a', LastName: 'A', Score__c: 1 }]), call()),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('Score__c') });
  });

  it('says what stands against a plan', async () => {
    const { fake, objects } = await start();
    const plan = (operation: Operation, match: string, ...more: string[]) => ({
      object: 'Contact',
      operation,
      match: [match],
      fields: [match, ...more].map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
    });

    expect(await objects.verify(plan('upsert', 'Ext_Id__c', 'LastName'))).toEqual([]);
    expect(await objects.verify(plan('upsert', 'FirstName', 'LastName'))).toEqual([
      expect.stringContaining('External ID'),
    ]);
    expect(await objects.verify(plan('upsert', 'Email', 'LastName'))).toEqual([
      expect.stringContaining('not unique'),
    ]);
    expect(await objects.verify(plan('insert', 'Id', 'LastName'))).toEqual([
      expect.stringContaining('by itself'),
    ]);
    expect(await objects.verify(plan('update', 'Id', 'Total__c'))).toEqual([
      expect.stringContaining("can't be changed: Total__c"),
    ]);
    expect(await objects.verify(plan('upsert', 'Ext_Id__c', 'FirstName'))).toEqual([
      expect.stringContaining('LastName'),
    ]);
    expect(await objects.verify(plan('update', 'Notes__c', 'LastName'))).toEqual([
      expect.stringContaining("can't search"),
    ]);
    expect(await objects.verify({ ...plan('upsert', 'Ext_Id__c'), match: ['Ext_Id__c', 'Email'] })).toEqual([
      expect.stringContaining('one field'),
    ]);
    fake.state.org.kind('Contact').writable = false;
    expect(await objects.verify(plan('delete', 'Ext_Id__c'))).toEqual([
      expect.stringContaining('may not delete'),
    ]);
  });
});
