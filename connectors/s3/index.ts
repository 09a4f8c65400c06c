import { randomBytes } from 'node:crypto';
import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Files } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import { config, type Login, loginOf } from './config.ts';
import { explain, Fault } from './errors.ts';
import { openStore, type Store } from './store.ts';
import { upload } from './upload.ts';

/** Amazon S3, and stores that speak its protocol. */
export const s3 = defineConnector({
  id: 's3',
  name: 'Amazon S3',
  summary: 'Writes files to a bucket of Amazon S3, or of a store that speaks S3.',
  config,
  offers: ['files'],
  hosts: ['*.amazonaws.com'],
  api: { version: '2006-03-01' },
  setup: [
    'Make a user in IAM for Activate alone, and an access key for it.',
    'Let it use `s3:PutObject`, `s3:GetObject` and `s3:AbortMultipartUpload` on `arn:aws:s3:::bucket/folder/*`.',
    'Best, let it use `s3:ListBucket` on the bucket too, so that S3 says whether a file is there; and `s3:DeleteObject` on `arn:aws:s3:::bucket/folder/.activate-check-*`, so that the small file that a check writes goes away again.',
    'On a machine at Amazon you can leave both keys empty and give its role these rights. To write as a role of another account, let the environment of Activate assume it: there is no field for a role here.',
    'Add a lifecycle rule `AbortIncompleteMultipartUpload` of 1 day to the bucket: if Activate is killed in the middle of a large file, its parts are not seen but paid for.',
    'For a store that is not at Amazon fill in its endpoint. Google Cloud Storage has a connector of its own, which can keep two who write the same name at the same moment from replacing each other.',
  ],
  verified: 'Tested against s3rver, and a server of our own that answers as documented.',
  tried: ['stand-in', 'ours'],
  open: async (values, context) => {
    const login = loginOf(values);
    const store = await openStore(login, context.applicationName);
    return {
      files: filesOf(store, login),
      check: () => check(store, login),
      close: async () => store.close(),
    };
  },
});

function filesOf(store: Store, login: Login): Files {
  return {
    put: (file, body, call) => upload(store, login, keyOf(login, file.path), file, body, call),
    stat: async (path) => {
      const found = await store.head(keyOf(login, path)).catch((error: unknown) => {
        throw error instanceof Fault ? explain(error, login) : error;
      });
      if (found === 'hidden') {
        throw new ActivateError(
          'PERMISSION_DENIED',
          'S3 does not let these keys see whether the file is there.',
          {
            fix: 'Allow s3:GetObject on the folder and s3:ListBucket on the bucket.',
          },
        );
      }
      return found === 'missing' ? undefined : found;
    },
    locate: (path) => `s3://${login.bucket}/${keyOf(login, path)}`,
  };
}

function keyOf({ prefix }: Login, path: string): string {
  return prefix === '' ? path : `${prefix}/${path}`;
}

/** Writes a small file, looks at it, tries to write it again, and removes it. */
async function check(store: Store, login: Login): Promise<readonly string[]> {
  const mark = randomBytes(8).toString('hex');
  const key = keyOf(login, `.activate-check-${mark}`);
  const file = { contentType: 'text/plain', mark };
  const bytes = Buffer.from('Activate wrote this to see whether it can. It may be deleted.\n');
  try {
    const before = await store.head(key);
    await store.put(key, file, bytes, 'replace');
    const there = await store.head(key);
    const replaced = await store.put(key, file, bytes, 'looked').then(
      () => true,
      (error: unknown) => !isRefusal(error),
    );
    const removed = await store.remove(key).then(
      () => true,
      () => false,
    );
    if (there === 'hidden') {
      throw new ActivateError('PERMISSION_DENIED', 'These keys may write files, and not look at them.', {
        fix: 'Allow s3:GetObject on the folder: after a lost answer that is how a file is known to be there.',
      });
    }
    return [
      ...(before === 'hidden'
        ? ['S3 does not say whether a file is there: s3:ListBucket on the bucket is missing.']
        : []),
      ...(typeof there === 'object' && there.mark !== mark
        ? ['The store keeps no metadata with files: after a lost answer a file may be written twice.']
        : []),
      ...(replaced
        ? [
            'The store does not refuse to replace a file (If-None-Match). Activate looks before it writes, but two who write the same name at the same moment would not notice.',
          ]
        : []),
      ...(removed ? [] : [`The small file ${key} stays there: these keys may not delete it.`]),
    ];
  } catch (error) {
    throw error instanceof Fault ? explain(error, login) : error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Fault && (error.status === 412 || error.status === 304);
}
