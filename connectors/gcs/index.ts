import { randomBytes } from 'node:crypto';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Files } from '../../engine/contracts/destination.ts';
import { config, type Login, loginOf } from './config.ts';
import { type Store, storeOf } from './store.ts';
import { upload } from './upload.ts';

/** Google Cloud Storage by its XML interface. */
export const gcs = defineConnector({
  id: 'gcs',
  name: 'Google Cloud Storage',
  summary: 'Writes files to a bucket of Google Cloud Storage.',
  config,
  offers: ['files'],
  hosts: ['storage.googleapis.com'],
  api: { version: 'XML API, not versioned' },
  setup: [
    'Make a service account for Activate alone, and give it the role Storage Object User on the bucket.',
    'Make an HMAC key for it (Cloud Storage, Settings, Interoperability), and copy its access ID and its secret. Where the organisation forbids them (`constraints/storage.restrictAuthTypes`), have it allow those of service accounts.',
    'Where the bucket has a retention policy, a file can not be replaced before its time has passed: put `{{ run }}` into the names of files.',
    'For the address of a region, or a private one, fill in the base URL.',
  ],
  verified: 'Tested against a server of our own that checks signatures and answers as documented.',
  open: async (values, context) => {
    const login = loginOf(values);
    const store = storeOf(login, context.http, context.now);
    return {
      files: filesOf(store, login),
      check: () => check(store, login),
      close: async () => undefined,
    };
  },
});

function filesOf(store: Store, login: Login): Files {
  return {
    put: (file, body, call) => upload(store, nameOf(login, file.path), file, body, call),
    stat: (path) => store.head(nameOf(login, path)),
    locate: (path) => `gs://${login.bucket}/${nameOf(login, path)}`,
  };
}

function nameOf({ prefix }: Login, path: string): string {
  return prefix === '' ? path : `${prefix}/${path}`;
}

/** Writes a small file, looks at it, tries to write it again, and removes it. */
async function check(store: Store, login: Login): Promise<readonly string[]> {
  const mark = randomBytes(8).toString('hex');
  const name = nameOf(login, `.activate-check-${mark}`);
  const file = { contentType: 'text/plain', mark, overwrite: false };
  const bytes = Buffer.from('Activate wrote this to see whether it can. It may be deleted.\n');
  await store.put(name, file, bytes);
  const there = await store.head(name);
  const again = await store.put(name, file, bytes);
  const removed = await store.remove(name).then(
    () => true,
    () => false,
  );
  return [
    ...(there?.mark === mark
      ? []
      : ['The store keeps no metadata with files: after a lost answer a file may be written twice.']),
    ...(again === 'taken'
      ? []
      : ['The store does not refuse to replace a file (x-goog-if-generation-match).']),
    ...(removed ? [] : [`The small file ${name} stays there: this key may not delete it.`]),
  ];
}
