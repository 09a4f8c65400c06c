import { afterEach } from 'vitest';
import { salesforce } from '../../connectors/salesforce/index.ts';
import type { ObjectBatch, Objects, Operation, Tasks, Value } from '../../engine/contracts/destination.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { partOf } from '../contracts/works.ts';
import { type Opened, openFor } from '../support/connect.ts';
import { type FakeSalesforce, startSalesforce } from './salesforce.ts';

interface Stage {
  readonly fake: FakeSalesforce;
  readonly opened: Opened;
  readonly objects: Objects;
  readonly tasks: Tasks;
  /** Another connection to the same org, as a process has it after a restart. */
  again(): Promise<Objects>;
}

/** For a group of tests: a function that starts an org and connects to it. After each test all of it is closed. */
export function stageSalesforce(): (more?: Raw) => Promise<Stage> {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) {
      await close();
    }
  });
  return async (more = {}) => {
    const fake = await startSalesforce();
    closing.push(async () => {
      await fake.close();
      fake.expectNoUnexpected();
    });
    const open = async (): Promise<Opened> => {
      const opened = await openFor(salesforce, { ...fake.config, ...more });
      closing.unshift(opened.close);
      return opened;
    };
    const opened = await open();
    return {
      fake,
      opened,
      objects: partOf(opened.connection, 'objects'),
      tasks: partOf(opened.connection, 'tasks'),
      again: async () => partOf((await open()).connection, 'objects'),
    };
  };
}

/** Contacts to write. Columns are sparse: each row has what it has. */
export function contactsOf(
  operation: Operation,
  rows: readonly Readonly<Record<string, Value>>[],
  { match = 'Ext_Id__c', onlyIfEmpty = [] as readonly string[] } = {},
): ObjectBatch {
  const used = [...new Set([match, ...rows.flatMap((row) => Object.keys(row))])];
  return {
    object: 'Contact',
    operation,
    match: [match],
    fields: used.map((name) => ({ name, onlyIfEmpty: onlyIfEmpty.includes(name), sparse: true })),
    items: rows.map((values, i) => ({ key: String(i), values })),
  };
}
