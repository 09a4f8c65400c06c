import type { KeyObject } from 'node:crypto';
import { field, type Values } from '../../engine/contracts/form.ts';
import type { PlannerChoice } from '../../engine/contracts/source.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import { privateKeyIn } from '../shared/oauth.ts';
import { choiceOf, scratchFields } from '../shared/scratch.ts';
import { accountOf } from './account.ts';
import { namesOf } from './names.ts';

/** What a connection needs: an account, one of three ways to sign in, and where to look. */
export const config = {
  account: field.text({
    label: 'Account',
    placeholder: 'myorg-myaccount',
    help: 'The account identifier, or the address that you open Snowflake with.',
  }),
  user: field.optional(
    field.text({ label: 'User', placeholder: 'ACTIVATE', help: 'Needed with a private key.' }),
  ),
  privateKey: field.optional(
    field.secret({
      label: 'Private key',
      help: 'The whole text of rsa_key.p8, without a passphrase. Or leave it empty and use a token.',
    }),
  ),
  token: field.optional(
    field.secret({
      label: 'Access token',
      help: 'A programmatic access token, in place of a private key.',
    }),
  ),
  clientId: field.optional(
    field.text({ label: 'OAuth client ID', help: 'Of a security integration, for OAuth in place of both.' }),
  ),
  clientSecret: field.optional(field.secret({ label: 'OAuth client secret' })),
  refreshToken: field.optional(field.secret({ label: 'OAuth refresh token' })),
  role: field.optional(
    field.text({
      label: 'Role',
      placeholder: 'ACTIVATE_READER',
      help: 'One that can only read. Leave it empty for the default role of the user.',
    }),
  ),
  warehouse: field.optional(
    field.text({
      label: 'Warehouse',
      placeholder: 'ACTIVATE_WH',
      help: 'It pays for the queries. Leave it empty for the default warehouse of the user.',
    }),
  ),
  database: field.text({
    label: 'Database',
    help: 'Where names of tables without a database are looked for.',
  }),
  ...scratchFields,
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      placeholder: 'https://myorg-myaccount.snowflakecomputing.com',
      help: 'Only where another address has to be called than that of the account.',
    }),
  ),
};

/** How each request proves who asks. */
export type SignIn =
  | { readonly by: 'key'; readonly account: string; readonly user: string; readonly key: KeyObject }
  | { readonly by: 'token'; readonly token: string }
  | {
      readonly by: 'oauth';
      readonly clientId: string;
      readonly clientSecret: string;
      readonly refreshToken: string;
    };

/** The place of ours, and what it is for. */
export interface Planner {
  readonly database: string;
  readonly schema: string;
  readonly choice: PlannerChoice;
  readonly logs: boolean;
}

/** Where and as whom to ask, in full. All names are as Snowflake keeps them: mostly in capital letters. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly signIn: SignIn;
  readonly role: string | undefined;
  readonly warehouse: string | undefined;
  readonly database: string;
  readonly planner: Planner | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const account = accountOf(values.account);
  if (account === undefined) {
    throw invalid(
      'account',
      'This is not an account identifier of Snowflake.',
      'Write it as myorg-myaccount: Snowflake shows it below your name, in Account, View account details.',
    );
  }
  const database = nameIn('database', values.database);
  return {
    base: values.baseUrl === undefined ? `https://${account.host}` : webAddress(values.baseUrl),
    signIn: signInOf(values, account.name),
    role: values.role === undefined ? undefined : nameIn('role', values.role),
    warehouse: values.warehouse === undefined ? undefined : nameIn('warehouse', values.warehouse),
    database,
    planner: plannerOf(values, database),
  };
}

function signInOf(values: Values<typeof config>, account: string): SignIn {
  const { user, privateKey, token, clientId, clientSecret, refreshToken } = values;
  if (privateKey !== undefined) {
    const key = privateKeyIn(privateKey);
    if (key?.asymmetricKeyType !== 'rsa') {
      throw invalid(
        'privateKey',
        'This is not an RSA private key in PEM form without a passphrase.',
        'Make one with: openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -nocrypt -out rsa_key.p8',
      );
    }
    if (user === undefined) {
      throw invalid('user', 'The user is missing.', 'Fill in the user that the public key was given to.');
    }
    return { by: 'key', account, user: nameIn('user', user), key };
  }
  if (token !== undefined) {
    return { by: 'token', token };
  }
  if (clientId !== undefined && clientSecret !== undefined && refreshToken !== undefined) {
    return { by: 'oauth', clientId, clientSecret, refreshToken };
  }
  throw clientId === undefined
    ? invalid(
        'privateKey',
        'There is nothing to sign in with.',
        'Fill in a private key, an access token, or the three fields of OAuth.',
      )
    : invalid(
        clientSecret === undefined ? 'clientSecret' : 'refreshToken',
        'OAuth needs a client ID, a client secret and a refresh token.',
        'Fill in all three.',
      );
}

function plannerOf(values: Values<typeof config>, database: string): Planner | undefined {
  if (values.plannerSchema === undefined) {
    return undefined;
  }
  const parts = namesOf(values.plannerSchema);
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes('')) {
    throw invalid('plannerSchema', 'This is not the name of a schema.', 'Write it as ACTIVATE_PLANNER.');
  }
  return {
    database: second === undefined ? database : first,
    schema: second ?? first,
    ...choiceOf(values),
  };
}

/** Snowflake takes these names as they are kept, and keeps what nobody put into quotes in capital letters. */
function nameIn(field: 'database' | 'role' | 'warehouse' | 'user', text: string): string {
  const [name = '', ...more] = namesOf(text);
  // Names of users are often e-mail addresses, which are in capital letters all the same.
  if (field === 'user') {
    return text.startsWith('"') ? name : text.toUpperCase();
  }
  if (name === '' || more.length > 0) {
    throw invalid(
      field,
      'This is not one name.',
      'Write it as SHOW … lists it, in double quotes if it has signs in it.',
    );
  }
  return name;
}

export const invalid = invalidIn(config);
