import { field, type Values } from '../../engine/contracts/form.ts';
import type { PlannerChoice } from '../../engine/contracts/source.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import { choiceOf, scratchFields } from '../shared/scratch.ts';
import { namesOf } from './names.ts';

/** What a connection needs: a workspace, one of two ways to sign in, and where to look. */
export const config = {
  baseUrl: field.text({
    label: 'Workspace URL',
    placeholder: 'https://dbc-a1b2c3d4-e5f6.cloud.databricks.com',
    help: 'The address that you open the workspace with.',
  }),
  clientId: field.optional(
    field.text({ label: 'Client ID', help: 'Of a service principal, which signs in by OAuth.' }),
  ),
  clientSecret: field.optional(
    field.secret({ label: 'Client secret', help: 'An OAuth secret of the service principal.' }),
  ),
  token: field.optional(
    field.secret({ label: 'Access token', help: 'A personal access token, in place of both.' }),
  ),
  warehouse: field.text({
    label: 'SQL warehouse',
    placeholder: '/sql/1.0/warehouses/a1b2c3d4e5f6a7b8',
    help: 'Its ID or its HTTP path: Connection details of the warehouse show both.',
  }),
  catalog: field.text({
    label: 'Catalog',
    placeholder: 'main',
    help: 'Where names of tables without a catalog are looked for.',
  }),
  ...scratchFields,
};

/** How each request proves who asks. */
export type SignIn =
  | { readonly by: 'token'; readonly token: string }
  | { readonly by: 'oauth'; readonly clientId: string; readonly clientSecret: string };

/** The place of ours, and what it is for. */
export interface Planner {
  readonly catalog: string;
  readonly schema: string;
  readonly choice: PlannerChoice;
  readonly logs: boolean;
}

/** Where and as whom to ask, in full. */
export interface Login {
  /** Without a path. */
  readonly base: string;
  readonly signIn: SignIn;
  readonly warehouse: string;
  readonly catalog: string;
  readonly planner: Planner | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const [, warehouse] =
    /^(?:.*\/warehouses\/|.*\/endpoints\/)?([A-Za-z0-9]+)\/?$/.exec(values.warehouse.trim()) ?? [];
  if (warehouse === undefined) {
    throw invalid(
      'warehouse',
      'This is neither the ID nor the HTTP path of a SQL warehouse.',
      'Copy it from SQL Warehouses, the warehouse, Connection details. Clusters can not be used.',
    );
  }
  const [catalog = '', ...more] = namesOf(values.catalog);
  if (catalog === '' || more.length > 0) {
    throw invalid('catalog', 'This is not the name of a catalog.', 'Write it as main, without a schema.');
  }
  return {
    base: new URL(webAddress(values.baseUrl)).origin,
    signIn: signInOf(values),
    warehouse,
    catalog,
    planner: plannerOf(values, catalog),
  };
}

function signInOf({ token, clientId, clientSecret }: Values<typeof config>): SignIn {
  if (clientId !== undefined && clientSecret !== undefined) {
    return { by: 'oauth', clientId, clientSecret };
  }
  if (token !== undefined) {
    return { by: 'token', token };
  }
  throw clientId === undefined
    ? invalid(
        'token',
        'There is nothing to sign in with.',
        'Fill in client ID and client secret of a service principal, or an access token.',
      )
    : invalid('clientSecret', 'The client secret is missing.', 'Make one for the service principal.');
}

function plannerOf(values: Values<typeof config>, catalog: string): Planner | undefined {
  if (values.plannerSchema === undefined) {
    return undefined;
  }
  const parts = namesOf(values.plannerSchema);
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes('')) {
    throw invalid('plannerSchema', 'This is not the name of a schema.', 'Write it as activate_planner.');
  }
  return {
    catalog: second === undefined ? catalog : first,
    schema: second ?? first,
    ...choiceOf(values),
  };
}

export const invalid = invalidIn(config);
