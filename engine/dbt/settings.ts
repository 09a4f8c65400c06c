import { ActivateError } from '../contracts/errors.ts';
import { check, type Field, type Fields, field } from '../contracts/form.ts';
import type { Raw } from '../contracts/refs.ts';

/** Where a project's manifest comes from. */
export const places = {
  platform: 'The dbt platform (dbt Cloud)',
  url: 'An address of the web',
  file: 'A file of this machine',
} as const;
export type Place = keyof typeof places;

/** What a dbt project is asked for, besides its name and its source. Secret fields are sealed. */
export const projectFields = {
  baseUrl: field.text({
    label: 'Access URL',
    help: 'The address of your dbt platform, as you see it in the browser.',
    placeholder: 'https://ab123.us1.dbt.com',
    max: 200,
  }),
  account: field.number({
    label: 'Account',
    help: 'The number after /accounts/ in the address.',
    min: 1,
    whole: true,
  }),
  job: field.number({
    label: 'Job',
    help: 'The number of the job that builds production: its manifest is read.',
    min: 1,
    whole: true,
  }),
  url: field.text({
    label: 'Address',
    help: 'Where CI puts manifest.json, https:// and all.',
    placeholder: 'https://artifacts.example.com/dbt/manifest.json',
    max: 1000,
  }),
  path: field.text({
    label: 'Path',
    help: 'Of manifest.json or of the project’s folder, below the folder of ALLOWED_FOLDER.',
    placeholder: 'dbt/target/manifest.json',
    max: 500,
  }),
  token: field.secret({
    label: 'Token',
    help: 'It is sent as a bearer token; one of the dbt platform may read metadata.',
  }),
  webhook: field.optional(
    field.secret({
      label: 'Webhook secret',
      help: 'Of the webhook in dbt, or one of yours for CI: whsec_ and 32 bytes in Base64.',
    }),
  ),
  failedTests: field.optional(
    field.choice({
      label: 'When its tests fail',
      of: { ask: 'Start nothing, and ask', send: 'Start it all the same' },
    }),
  ),
  staleHours: field.optional(
    field.number({
      label: 'Too old after, hours',
      help: 'A model built longer ago is not sent. Empty: however old it is.',
      min: 1,
      whole: true,
    }),
  ),
};
export type ProjectField = keyof typeof projectFields;

const runFields: readonly ProjectField[] = ['webhook', 'failedTests', 'staleHours'];

/** The fields of a project whose manifest is there. */
export function fieldsOf(place: Place): readonly ProjectField[] {
  switch (place) {
    case 'platform':
      return ['baseUrl', 'account', 'job', 'token', ...runFields];
    case 'url':
      return ['url', 'token', ...runFields];
    case 'file':
      return ['path', ...runFields];
    default:
      return place satisfies never;
  }
}

/** An address may be read without a token. */
export function isNeeded(place: Place, name: ProjectField): boolean {
  return !projectFields[name].optional && !(place === 'url' && name === 'token');
}

export function isSecret(name: string): boolean {
  return name === 'token' || name === 'webhook';
}

/** What is set for a place, checked; fields of others are left out. Throws INPUT_INVALID at the field at fault. */
export function settingsIn(place: Place, given: Raw): Raw {
  const fields: Fields = Object.fromEntries(
    fieldsOf(place).map((name) => [
      name,
      isNeeded(place, name) ? projectFields[name] : field.optional(projectFields[name] as Field),
    ]),
  );
  const checked = check(fields, given);
  const errors = { ...(checked.ok ? {} : checked.errors), ...wrongSecret(given['webhook'] ?? '') };
  if (Object.keys(errors).length > 0) {
    throw new ActivateError('INPUT_INVALID', 'The dbt project is not complete.', { fields: errors });
  }
  return Object.fromEntries(
    Object.entries(given)
      .map(([name, value]) => [name, value.trim()] as const)
      .filter(([name, value]) => name in fields && value !== ''),
  );
}

const short = 16;

function wrongSecret(text: string): Raw {
  if (text === '') {
    return {};
  }
  if (text.startsWith('whsec_')) {
    return keyOf(text) === undefined
      ? { webhook: 'This is no such secret. Put whsec_ before: openssl rand -base64 32.' }
      : {};
  }
  return text.length < short ? { webhook: 'This is too short for a secret.' } : {};
}

/** The bytes of a Standard Webhooks secret; undefined when the text is none. */
export function keyOf(text: string): Buffer | undefined {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text.trim())?.[1];
  const key = base64 === undefined ? undefined : Buffer.from(base64, 'base64');
  return key !== undefined && key.byteLength >= 24 && key.byteLength <= 64 ? key : undefined;
}
