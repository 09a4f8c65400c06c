import { expect } from 'vitest';
import { call } from '../support/connect.ts';
import type { Stage } from './stage.ts';
import { type PartCases, partOf } from './works.ts';

/** A test of one part alone; `key` is what it is skipped by. */
export interface Special {
  readonly key: string;
  readonly title: string;
  test(stage: Stage): Promise<void>;
}

const signal = new AbortController().signal;

/** What the parts owe beyond delivering. */
export function special({ objects, audiences, files, tasks }: PartCases): readonly Special[] {
  return [
    ...Object.values(objects ?? {})
      .slice(0, 1)
      .flatMap((batch) => objectTests(batch(1).object)),
    ...(audiences === undefined ? [] : audienceTests(audiences)),
    ...(files === undefined ? [] : fileTests(files)),
    ...(tasks === undefined ? [] : taskTests(tasks)),
  ];
}

function objectTests(object: string): readonly Special[] {
  return [
    {
      key: 'objects kinds',
      title: 'objects: offers kinds by what is typed, and fields of those that there are',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'objects');

        const offered = await part.objects(object.slice(0, 3));
        const fields = await part.fields(object);

        expect(offered.map(({ value }) => value)).toContain(object);
        expect(new Set(fields.map(({ name }) => name)).size).toBe(fields.length);
        await expect(part.fields('no_such_kind')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      },
    },
  ];
}

function audienceTests({ list, members }: NonNullable<PartCases['audiences']>): readonly Special[] {
  return [
    {
      key: 'audiences lists',
      title: 'audiences: makes a list once, however often it is asked to',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'audiences');

        const id = await part.create('Activate: trial users');

        expect(await part.create('Activate: trial users')).toBe(id);
        expect((await part.lists('Activate: trial users')).map(({ value }) => value)).toContain(id);
      },
    },
    {
      key: 'audiences absent',
      title: 'audiences: takes somebody who is not on the list for removed',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'audiences');
        const [member] = members(1);

        const outcomes = await part.remove(
          list,
          member === undefined ? [] : [{ ...member, traits: {} }],
          call(),
        );

        expect(outcomes).toMatchObject([{ state: 'ok' }]);
      },
    },
  ];
}

function fileTests(files: NonNullable<PartCases['files']>): readonly Special[] {
  const [first] = files(1);
  if (first === undefined) {
    throw new Error('The harness has no file');
  }
  const { bytes, ...file } = first;
  const body = async function* () {
    yield bytes;
  };
  return [
    {
      key: 'files stat',
      title: 'files: knows the size and the mark of a file that is there, and none that is not',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'files');

        expect(await part.stat(file.path)).toBeUndefined();
        expect((await part.put(file, body, call())).bytes).toBe(bytes.byteLength);
        expect(await part.stat(file.path)).toMatchObject({ bytes: bytes.byteLength });
      },
    },
    {
      key: 'files exists',
      title: 'files: does not replace a file unless it may',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'files');
        await part.put({ ...file, overwrite: false }, body, call());

        const other = part.put({ ...file, mark: 'another', overwrite: false }, body, call());

        await expect(other).rejects.toMatchObject({ code: 'EXISTS' });
        await part.put({ ...file, mark: 'another', overwrite: true }, body, call());
      },
    },
    {
      key: 'files half',
      title: 'files: leaves nothing behind of a file that could not be read to its end',
      test: async ({ far, opened: { connection } }) => {
        const before = structuredClone(await far.stored());
        const broken = new Error('the source broke off');
        const half = async function* () {
          yield bytes.subarray(0, 1);
          throw broken;
        };

        await expect(partOf(connection, 'files').put(file, half, call())).rejects.toBe(broken);
        expect(await far.stored()).toEqual(before);
      },
    },
  ];
}

function taskTests(tasks: NonNullable<PartCases['tasks']>): readonly Special[] {
  const [task, other] = tasks(2);
  if (task === undefined || other === undefined) {
    throw new Error('The harness has no two tasks');
  }
  return [
    {
      key: 'tasks find',
      title: 'tasks: finds a task by its mark, and no other',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'tasks');
        const { id } = await part.create(task, signal);

        expect(await part.find(task.project, task.mark, new Date(0), signal)).toMatchObject({ id });
        expect(await part.find(task.project, other.mark, new Date(0), signal)).toBeUndefined();
      },
    },
    {
      key: 'tasks life',
      title: 'tasks: follows a task through its life',
      test: async ({ opened: { connection } }) => {
        const part = partOf(connection, 'tasks');
        const { id } = await part.create(task, signal);

        const { mark: _mark, project: _project, ...change } = other;
        await part.update(id, change, signal);
        await part.comment(id, 'Still there.', signal);
        const states = [await part.state(id, signal)];
        await part.close(id, signal);
        states.push(await part.state(id, signal));
        await part.reopen(id, signal);
        states.push(await part.state(id, signal));

        expect(states).toEqual(['open', 'closed', 'open']);
      },
    },
    {
      key: 'tasks gone',
      title: 'tasks: takes a task that nobody knows for gone',
      test: async ({ opened: { connection } }) => {
        expect(await partOf(connection, 'tasks').state('999999', signal)).toBe('gone');
      },
    },
  ];
}
