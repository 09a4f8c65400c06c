import { salesforce } from '../../connectors/salesforce/index.ts';
import type { Operation } from '../../engine/contracts/destination.ts';
import { destinationContract, type FarSide } from '../contracts/destination.ts';
import { startSalesforce } from '../fakes/salesforce.ts';

const names = ['Ada', 'O\'Hara \\ "Q"', 'Zoë\n<b>'];

function contacts(operation: Operation, n: number, bad?: number) {
  const fields = ['Ext_Id__c', ...(operation === 'delete' ? [] : ['LastName', 'Plan__c'])];
  return {
    object: 'Contact',
    operation,
    match: ['Ext_Id__c'],
    fields: fields.map((name) => ({ name, onlyIfEmpty: false, sparse: false })),
    items: Array.from({ length: n }, (_, i) => ({
      key: String(i),
      values: {
        Ext_Id__c: `${i === bad && operation === 'delete' ? 'pinned' : operation}-${i}`,
        ...(operation === 'delete'
          ? {}
          : { LastName: names[i] ?? `Name ${i}`, Plan__c: i === bad ? 'Gold' : 'Pro' }),
      },
    })),
  };
}

async function startFarSide(): Promise<FarSide> {
  const fake = await startSalesforce();
  const { org } = fake.state;
  org.pinned.add('pinned-1');
  for (const key of [
    'update-0',
    'update-1',
    'update-2',
    'delete-0',
    'delete-1',
    'delete-2',
    'pinned-1',
    'pinned-0',
  ]) {
    org.seed('Contact', { Ext_Id__c: key, LastName: 'Before' });
  }
  return {
    fake,
    config: { ...fake.config, taskKeyField: 'Activate_Key__c' },
    wrongConfig: { ...fake.config, clientSecret: 'not-the-consumer-secret' },
    stored: () => [org.rows('Contact'), org.rows('Task')],
  };
}

destinationContract('salesforce', {
  connector: salesforce,
  start: startFarSide,
  renewsToken: true,
  parts: {
    objects: {
      insert: (n, bad) => contacts('insert', n, bad),
      update: (n, bad) => contacts('update', n, bad),
      upsert: (n, bad) => contacts('upsert', n, bad),
      delete: (n, bad) => contacts('delete', n, bad),
    },
    tasks: (n, bad) =>
      Array.from({ length: n }, (_, i) => ({
        mark: `${i}`.padStart(32, 'a'),
        project: 'Task',
        title: `Call ${i}`,
        body: 'First line\nsecond',
        fields: { Priority: i === bad ? 'Whatever' : 'High' },
      })),
  },
});
