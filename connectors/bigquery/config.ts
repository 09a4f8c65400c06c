import { field, type Values } from '../../engine/contracts/form.ts';
import { type ServiceAccount, serviceAccountGrant, serviceAccountIn } from '../shared/google.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import type { Grant } from '../shared/oauth.ts';
import { scratchFields } from '../shared/scratch.ts';

const defaultGigabytes = 10;

/** What a connection needs. */
export const config = {
  serviceAccount: field.secret({
    label: 'Service account key',
    help: 'The whole JSON file of its key. It needs BigQuery Job User, and BigQuery Data Viewer on what is read.',
  }),
  project: field.optional(
    field.text({
      label: 'Project that pays',
      placeholder: 'acme-analytics',
      help: 'Its id. Leave it empty for the project of the service account.',
    }),
  ),
  dataProject: field.optional(
    field.text({
      label: 'Project of the data',
      placeholder: 'acme-data',
      help: 'Its id, where tables are offered from. Leave it empty if it is the one that pays.',
    }),
  ),
  location: field.optional(
    field.text({
      label: 'Location',
      placeholder: 'EU',
      help: 'Where the datasets are, as EU or europe-west3. Leave it empty, and BigQuery finds it by the tables of a query.',
    }),
  ),
  gigabytes: field.optional(
    field.number({
      label: 'Most GB per query',
      min: 0.01,
      max: 1_000_000,
      help: `A query that would be billed for more is refused, at no cost. Leave it empty for ${defaultGigabytes}.`,
    }),
  ),
  ...scratchFields,
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Only for a proxy of yours: it has to pass on /bigquery/v2 to BigQuery, and /token to Google.',
    }),
  ),
};

/** A dataset, in full. */
export interface Dataset {
  readonly project: string;
  readonly dataset: string;
}

/** Where, as whom and within which limits to ask, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly email: string;
  readonly grant: (now: Date) => Grant;
  /** The one that pays. */
  readonly project: string;
  readonly dataProject: string;
  readonly location: string | undefined;
  readonly mostBytes: number;
  readonly planner: Dataset | undefined;
}

/** The second is for tables that are sheets of Google Drive: it opens those that were shared with the service account. */
const scope = 'https://www.googleapis.com/auth/bigquery https://www.googleapis.com/auth/drive.readonly';

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const account = accountOf(values.serviceAccount);
  const own = values.project ?? account.project;
  if (own === undefined) {
    throw invalid('project', 'The key names no project.', 'Fill in the id of the project that pays.');
  }
  const project = projectOf('project', own);
  const { location, gigabytes = defaultGigabytes } = values;
  if (location !== undefined && !/^[A-Za-z][A-Za-z0-9-]*$/.test(location)) {
    throw invalid('location', 'This is not a location of Google Cloud.', 'Write it as EU or europe-west3.');
  }
  if (location === undefined && values.plannerSchema !== undefined) {
    throw invalid(
      'location',
      'A planner schema needs a location: BigQuery compares only what is in one.',
      'Fill in the location of the datasets that are read, as EU.',
    );
  }
  const base = values.baseUrl === undefined ? undefined : webAddress(values.baseUrl);
  return {
    base: `${base ?? 'https://bigquery.googleapis.com'}/bigquery/v2`,
    email: account.email,
    grant: serviceAccountGrant(account, scope, base ?? 'https://oauth2.googleapis.com'),
    project,
    dataProject: values.dataProject === undefined ? project : projectOf('dataProject', values.dataProject),
    location,
    mostBytes: Math.round(gigabytes * 1e9),
    planner: values.plannerSchema === undefined ? undefined : plannerOf(values.plannerSchema, project),
  };
}

function accountOf(text: string): ServiceAccount {
  const account = serviceAccountIn(text);
  if (account === undefined) {
    throw invalid(
      'serviceAccount',
      'This is not the key of a service account.',
      'Paste the whole JSON file that Google Cloud gave you, from { to }.',
    );
  }
  return account;
}

function projectOf(name: 'project' | 'dataProject' | 'plannerSchema', text: string): string {
  if (!/^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(text)) {
    throw invalid(
      name,
      'This is not the id of a project.',
      'Take the id, as acme-data-4711, and not the name.',
    );
  }
  return text;
}

/** As `dataset`, or `project.dataset`. */
function plannerOf(text: string, project: string): Dataset {
  const [, before, dataset = ''] = /^(?:(.+)\.)?(\w+)$/.exec(text) ?? [];
  if (dataset === '' || dataset.length > 150) {
    throw invalid(
      'plannerSchema',
      'This is not the name of a dataset.',
      'Write it as activate_planner, or with its project: acme-data.activate_planner.',
    );
  }
  return { project: before === undefined ? project : projectOf('plannerSchema', before), dataset };
}

const invalid = invalidIn(config);
