import { describe, expect, it } from 'vitest';
import type { NewTask } from '../../engine/contracts/destination.ts';
import { failed } from '../fakes/salesforce-answers.ts';
import { stageSalesforce } from '../fakes/salesforce-stage.ts';

const { signal } = new AbortController();
const mark = '0123456789abcdef0123456789abcdef';
const withKey = { taskKeyField: 'Activate_Key__c' };

const task = (more: Partial<NewTask> = {}): NewTask => ({
  mark,
  project: 'Task',
  title: 'Call Acme',
  body: 'They used up\ntheir free tier.',
  fields: {},
  ...more,
});

describe('salesforce: tasks', () => {
  const start = stageSalesforce();

  it('makes a task with text, day, owner and fields', async () => {
    const { fake, tasks } = await start(withKey);
    const owner = fake.state.org.seed('User', { Email: 'ada@acme.example', IsActive: true });

    const made = await tasks.create(
      task({ assignee: 'Ada@acme.example', due: '2026-03-29', fields: { Priority: 'High' } }),
      signal,
    );

    expect(made).toEqual({
      id: expect.stringMatching(/^00T/),
      url: `https://acme.my.salesforce.com/${made.id}`,
    });
    expect(fake.state.org.rows('Task')).toEqual([
      {
        Subject: 'Call Acme',
        Description: `They used up\ntheir free tier.\n\nActivate reference ${mark}`,
        ActivityDate: '2026-03-29',
        OwnerId: owner,
        Priority: 'High',
        Activate_Key__c: mark,
        Status: 'Not Started',
        IsClosed: false,
      },
    ]);
  });

  it('makes a task once, and leaves one alone that somebody has closed since', async () => {
    const { fake, tasks } = await start(withKey);
    const { id } = await tasks.create(task(), signal);
    await tasks.close(id, signal);

    const again = await tasks.create(task({ title: 'Other' }), signal);

    expect(again.id).toBe(id);
    expect(fake.state.org.rows('Task')).toMatchObject([{ Subject: 'Call Acme', Status: 'Completed' }]);
  });

  it('finds a task whose creation nobody answered, by its key', async () => {
    const { fake, tasks } = await start(withKey);
    await tasks.projects('');
    fake.next('done-then-reset');

    await expect(tasks.create(task(), signal)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });

    const found = await tasks.find('Task', mark, new Date(0), signal);
    expect([...fake.state.org.kind('Task').records.keys()]).toEqual([found?.id]);
  });

  it('finds a task by the line in its text where there is no key field, over many pages', async () => {
    const { fake, tasks } = await start();
    fake.state.pageSize = 10;
    for (let i = 0; i < 25; i += 1) {
      fake.state.org.seed('Task', {
        Subject: `Other ${i}`,
        Description: `About Activate reference ${mark}0`,
      });
    }
    const { id } = await tasks.create(task(), signal);
    await tasks.comment(id, 'They called back.', signal);

    expect(await tasks.find('Task', mark, new Date(Date.now() - 60_000), signal)).toMatchObject({ id });
    expect(await tasks.find('Task', mark, new Date(Date.now() + 3_600_000), signal)).toBeUndefined();
    expect(await tasks.find('Task', 'f'.repeat(32), new Date(0), signal)).toBeUndefined();
  });

  it('says when nobody has the address, and that the title was cut', async () => {
    const { fake, tasks } = await start();
    fake.state.org.seed('User', { Email: 'gone@acme.example', IsActive: false });

    const { note } = await tasks.create(
      task({ assignee: 'gone@acme.example', title: 'x'.repeat(300) }),
      signal,
    );

    expect(note).toContain('no active user');
    expect(note).toContain('cut to 255');
    expect(String(fake.state.org.rows('Task')[0]?.['Subject'])).toHaveLength(255);
  });

  it('gives a task to the one of several users with an address who was there last', async () => {
    const { fake, tasks } = await start();
    const email = "o'hara@acme.example";
    fake.state.org.seed('User', { Email: email, IsActive: true });
    const present = fake.state.org.seed('User', {
      Email: email,
      IsActive: true,
      LastLoginDate: '2026-03-01T00:00:00Z',
    });
    fake.state.org.seed('User', { Email: email, IsActive: true, LastLoginDate: '2025-03-01T00:00:00Z' });

    await tasks.create(task({ assignee: email }), signal);

    expect(fake.state.org.rows('Task')).toMatchObject([{ OwnerId: present }]);
  });

  it("closes and opens with the org's own states, and leaves alone what is so already", async () => {
    const { fake, tasks } = await start();
    const { id } = await tasks.create(task({ fields: { Status: 'In Progress' } }), signal);
    const statusOf = () => fake.state.org.rows('Task')[0]?.['Status'];

    await tasks.reopen(id, signal);
    const left = statusOf();
    await tasks.close(id, signal);
    await tasks.close(id, signal);
    const closed = statusOf();
    await tasks.reopen(id, signal);

    expect([left, closed, statusOf()]).toEqual(['In Progress', 'Completed', 'Not Started']);
    expect(fake.to('PATCH /services/data/v66.0/composite/sobjects')).toHaveLength(2);
  });

  it('keeps mark and comments when it brings the text up to date, and says nothing twice', async () => {
    const { fake, tasks } = await start();
    const { id } = await tasks.create(task(), signal);

    await tasks.comment(id, 'They called back.', signal);
    await tasks.comment(id, 'They called back.', signal);
    await tasks.update(id, { title: 'Call again', body: 'New text', due: '2026-04-01', fields: {} }, signal);

    expect(fake.state.org.rows('Task')).toMatchObject([
      {
        Subject: 'Call again',
        ActivityDate: '2026-04-01',
        Description: `New text\n\nActivate reference ${mark}\n\nThey called back.`,
      },
    ]);
  });

  it('takes a deleted task for gone, and does not comment on it', async () => {
    const { fake, tasks } = await start();
    const { id } = await tasks.create(task(), signal);
    fake.state.org.change('Task', 'delete', [{ Id: id }]);

    expect(await tasks.state(id, signal)).toBe('gone');
    expect(await tasks.state('00T000000000999AAA', signal)).toBe('gone');
    await expect(tasks.comment(id, 'Still?', signal)).rejects.toMatchObject({ code: 'ROW_REJECTED' });
  });

  it('refuses what the task itself holds, without its values', async () => {
    const { tasks } = await start();

    const making = tasks.create(task({ fields: { Priority: 'Sky-high' } }), signal);

    await expect(making).rejects.toMatchObject({
      code: 'ROW_REJECTED',
      message: expect.stringContaining('Priority'),
    });
    await expect(making).rejects.not.toThrow('Sky-high');
  });

  it('offers record types as projects, and writes the one that was chosen', async () => {
    const { fake, tasks } = await start();

    const projects = await tasks.projects('');
    const [, calls] = projects;
    await tasks.projects('call');
    await tasks.create(task({ project: calls?.value ?? '' }), signal);

    expect(projects).toEqual([
      { value: 'Task', label: 'Tasks' },
      { value: '012000000000001AAA', label: 'Tasks: Call' },
    ]);
    expect(fake.state.org.rows('Task')).toMatchObject([{ RecordTypeId: '012000000000001AAA' }]);
  });

  it('offers the fields beyond those that every task has', async () => {
    const { tasks } = await start(withKey);

    const names = (await tasks.fields('Task')).map(({ name }) => name);

    expect(names).toEqual(['Status', 'Priority', 'WhatId']);
  });

  it.each([
    ['is not there', 'Missing__c', {}],
    ['is not unique', 'Activate_Key__c', { unique: false }],
    ['is no External ID', 'Activate_Key__c', { externalId: false }],
    ['is too short', 'Activate_Key__c', { length: 20 }],
    ['may not be written', 'Activate_Key__c', { createable: false }],
  ])('tells of a key field that %s when it is connected', async (_name, taskKeyField, change) => {
    const { fake, opened } = await start({ taskKeyField });
    const { fields } = fake.state.org.kind('Task');
    const at = fields.findIndex(({ name }) => name === 'Activate_Key__c');
    fields.splice(at, 1, { ...(fields[at] as (typeof fields)[number]), ...change });

    await expect(opened.connection.check('tasks')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      fields: { taskKeyField: expect.any(String) },
    });
  });

  it('tells of a user who may not make tasks', async () => {
    const { fake, opened } = await start();
    fake.state.org.kind('Task').writable = false;

    await expect(opened.connection.check('tasks')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('takes a lock on the account of a task for what passes', async () => {
    const { fake, tasks } = await start();
    await tasks.projects('');
    fake.next(failed(400, 'UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access'));
    await expect(tasks.create(task(), signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    fake.state.org.locked.add('Call Acme');
    await expect(tasks.create(task(), signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });

    await expect(tasks.create(task(), signal)).resolves.toMatchObject({ id: expect.any(String) });
  });
});
