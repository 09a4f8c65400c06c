import { randomBytes } from 'node:crypto';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Files } from '../../engine/contracts/destination.ts';
import { config, type Login, loginOf } from './config.ts';
import { api, type Store, storeOf } from './store.ts';
import { upload } from './upload.ts';

/** Azure Blob Storage: block blobs, committed in one step. */
export const azureBlob = defineConnector({
  id: 'azure-blob',
  name: 'Azure Blob Storage',
  summary: 'Writes files to a container of Azure Blob Storage.',
  config,
  offers: ['files'],
  hosts: ['*.blob.core.windows.net'],
  api,
  setup: [
    'Make a container for Activate alone, or choose a folder in one that is there.',
    'Best, make a SAS token of the container (portal: the container, “Shared access tokens”) with the rights read, create and write; with delete too, so that the small file that a check writes goes away again. A check warns a month before it ends.',
    'Or copy an account key (portal: the storage account, “Access keys”). It may do everything in the account, so a token is better.',
    'Let the network rules of the account let in the machine that Activate runs on.',
    'For a private link, another cloud of Microsoft or Azurite fill in the address of the account as the base URL.',
  ],
  verified:
    'Tested against a server of our own that checks signatures and answers as documented, and Azurite.',
  tried: ['stand-in', 'ours'],
  open: async (values, context) => {
    const login = loginOf(values, context.now());
    const store = storeOf(login, context.http, context.now);
    return {
      files: filesOf(store, login),
      check: () => check(store, login, context.now()),
      close: async () => undefined,
    };
  },
});

function filesOf(store: Store, login: Login): Files {
  return {
    put: (file, body, call) => upload(store, nameOf(login, file.path), file, body, call),
    stat: (path) => store.head(nameOf(login, path)),
    locate: (path) => store.addressOf(nameOf(login, path)),
  };
}

function nameOf({ prefix }: Login, path: string): string {
  return prefix === '' ? path : `${prefix}/${path}`;
}

const monthMs = 30 * 24 * 60 * 60 * 1000;

/** Writes a small file, looks at it, tries to write it again, and removes it. */
async function check(store: Store, login: Login, now: Date): Promise<readonly string[]> {
  const mark = randomBytes(8).toString('hex');
  const name = nameOf(login, `.activate-check-${mark}`);
  const file = { contentType: 'text/plain', mark, overwrite: false };
  const id = Buffer.from(mark).toString('base64');
  await store.putBlock(
    name,
    id,
    Buffer.from('Activate wrote this to see whether it can. It may be deleted.\n'),
  );
  await store.commit(name, file, [id]);
  const there = await store.head(name);
  const again = await store.commit(name, file, [id]);
  const removed = await store.remove(name).then(
    () => true,
    () => false,
  );
  const endsAt = login.by.kind === 'sas' ? login.by.endsAt : undefined;
  return [
    ...(there?.mark === mark
      ? []
      : ['The store keeps no metadata with files: after a lost answer a file may be written twice.']),
    ...(again === 'taken' ? [] : ['The store does not refuse to replace a file (If-None-Match).']),
    ...(removed ? [] : [`The small file ${name} stays there: this token may not delete it.`]),
    ...(endsAt !== undefined && endsAt.getTime() - now.getTime() < monthMs
      ? [`The SAS token ends on ${endsAt.toISOString().slice(0, 10)}: make a new one before that day.`]
      : []),
  ];
}
