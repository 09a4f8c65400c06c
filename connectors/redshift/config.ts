import type { ClientConfig } from 'pg';
import { field, type Values } from '../../engine/contracts/form.ts';
import { type DatabaseLogin, portField, tlsField, usualTls } from '../shared/database-login.ts';
import { invalidIn } from '../shared/login.ts';
import { ownSchema, scratchFields } from '../shared/scratch.ts';

/** What a connection needs. */
export const config = {
  host: field.text({
    label: 'Endpoint',
    max: 300,
    placeholder: 'acme.abc123.eu-central-1.redshift.amazonaws.com:5439/dev',
    help: 'Of the cluster or the serverless workgroup, as the AWS console shows it; port and database may be in it.',
  }),
  port: portField(5439),
  database: field.optional(
    field.text({ label: 'Database', placeholder: 'dev', help: 'Leave it empty if the endpoint ends in it.' }),
  ),
  user: field.text({
    label: 'User',
    help: 'Use a database user of its own, with the rights that it needs here and no others.',
  }),
  password: field.secret({ label: 'Password' }),
  tls: tlsField,
  queryGroup: field.optional(
    field.text({
      label: 'Query group',
      placeholder: 'activate',
      help: 'Queries are labelled with it, so that workload management can give them a queue of their own.',
    }),
  ),
  ...scratchFields,
};

/** Where and as whom to connect, in full. */
export interface Login extends DatabaseLogin {
  readonly password: string;
  readonly queryGroup: string | undefined;
  readonly plannerSchema: string | undefined;
}

/** Reads the fields into a login; CONFIG_INVALID names the field at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const [, host = '', port, database = values.database] =
    /^([^:/\s]+)(?::(\d{1,5}))?(?:\/([^/\s]+))?$/.exec(values.host) ?? [];
  if (host === '') {
    throw invalid(
      'host',
      'This is not the endpoint of a cluster or a workgroup.',
      'Copy it from the AWS console: name, region and redshift.amazonaws.com, without jdbc: or https:.',
    );
  }
  if (database === undefined) {
    throw invalid('database', 'The database is missing.', 'Fill in its name; the first one is called dev.');
  }
  const { queryGroup, plannerSchema } = values;
  if (queryGroup !== undefined && !/^[\w .-]{1,100}$/.test(queryGroup)) {
    throw invalid(
      'queryGroup',
      'A query group has letters, digits, spaces, “.”, “-” and “_”.',
      'Choose another one.',
    );
  }
  return {
    host,
    port: values.port ?? (port === undefined ? 5439 : Number(port)),
    database,
    user: values.user,
    password: values.password,
    tls: values.tls ?? usualTls(host),
    queryGroup,
    plannerSchema: plannerSchema === undefined ? undefined : ownSchema(plannerSchema, 127),
  };
}

/** How the `pg` package wants to be told. */
export function clientConfig(login: Login, applicationName: string): ClientConfig {
  const { host, port, database, user, password } = login;
  return {
    host,
    port,
    database,
    user,
    password,
    ssl: login.tls === 'off' ? false : { rejectUnauthorized: login.tls === 'verify' },
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    // What AWS has between us and a cluster forgets a connection on which nothing moves for 350 s.
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    // Every value stays the text that was sent.
    types: { getTypeParser: () => (text: unknown) => text },
  } as ClientConfig;
}

const invalid = invalidIn(config);
