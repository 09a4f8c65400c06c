import { fieldNamed, Org } from './salesforce-org.ts';

/** Contacts, accounts and tasks, with users and states of tasks beside them. */
export function standardOrg(): Org {
  const org = new Org();
  const key = { externalId: true, unique: true, idLookup: true };
  org.add('Account', '001', [
    fieldNamed('Name', 'string', { nillable: false }),
    fieldNamed('Ext_Id__c', 'string', key),
  ]);
  org.add('Contact', '003', [
    fieldNamed('LastName', 'string', { nillable: false }),
    fieldNamed('FirstName', 'string'),
    fieldNamed('Email', 'email', { length: 80, idLookup: true }),
    fieldNamed('Ext_Id__c', 'string', key),
    fieldNamed('Number_Key__c', 'double', key),
    fieldNamed('Score__c', 'double'),
    fieldNamed('Active__c', 'boolean', { nillable: false, defaultedOnCreate: true }),
    fieldNamed('Seen__c', 'datetime'),
    fieldNamed('Plan__c', 'picklist', {
      restrictedPicklist: true,
      picklistValues: [
        { active: true, value: 'Free' },
        { active: true, value: 'Pro' },
        { active: false, value: 'Old' },
      ],
    }),
    fieldNamed('Topics__c', 'multipicklist'),
    fieldNamed('Notes__c', 'textarea', { length: 50_000 }),
    fieldNamed('AccountId', 'reference', { referenceTo: ['Account'] }),
    fieldNamed('Total__c', 'double', { createable: false, updateable: false }),
  ]);
  org.add('Task', '00T', [
    fieldNamed('Subject', 'combobox', { length: 255 }),
    fieldNamed('Description', 'textarea', { length: 32_000 }),
    fieldNamed('Status', 'picklist', { nillable: false, defaultedOnCreate: true }),
    fieldNamed('Priority', 'picklist', {
      nillable: false,
      defaultedOnCreate: true,
      restrictedPicklist: true,
      picklistValues: ['High', 'Normal', 'Low'].map((value) => ({ active: true, value })),
    }),
    fieldNamed('OwnerId', 'reference', { referenceTo: ['User'], defaultedOnCreate: true }),
    fieldNamed('ActivityDate', 'date'),
    fieldNamed('RecordTypeId', 'reference', { referenceTo: ['RecordType'] }),
    fieldNamed('WhatId', 'reference', { referenceTo: ['Account'] }),
    fieldNamed('IsClosed', 'boolean', { createable: false, updateable: false }),
    fieldNamed('IsDeleted', 'boolean', { createable: false, updateable: false }),
    fieldNamed('Activate_Key__c', 'string', key),
  ]);
  org.add('User', '005', [
    fieldNamed('Email', 'email'),
    fieldNamed('IsActive', 'boolean'),
    fieldNamed('LastLoginDate', 'datetime'),
  ]);
  org.add('TaskStatus', '01J', [
    fieldNamed('ApiName', 'string'),
    fieldNamed('IsClosed', 'boolean'),
    fieldNamed('IsDefault', 'boolean'),
    fieldNamed('SortOrder', 'int'),
  ]);
  for (const [at, [ApiName, IsClosed, IsDefault]] of (
    [
      ['In Progress', false, false],
      ['Not Started', false, true],
      ['Completed', true, false],
    ] as const
  ).entries()) {
    org.seed('TaskStatus', { ApiName, IsClosed, IsDefault, SortOrder: at + 1 });
  }
  for (const name of ['User', 'TaskStatus']) {
    org.kind(name).writable = false;
  }
  return org;
}
