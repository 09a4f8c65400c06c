import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  username: field.text({
    label: 'Service account',
    placeholder: 'activate.1a2b3c.mp-service-account',
    help: 'Enter the user name of a service account that is Owner or Admin of the project.',
  }),
  secret: field.secret({
    label: 'Secret',
    help: 'Paste the secret that Mixpanel showed when the service account was made.',
  }),
  projectId: field.text({
    label: 'Project id',
    placeholder: '1234567',
    help: 'Copy it from the settings of the project: the number, not the token.',
  }),
  region: field.choice({
    label: 'Data residency',
    help: 'You see it in the settings of the project.',
    of: { us: 'United States', eu: 'European Union', in: 'India' },
  }),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call Mixpanel itself. Fill it in for a proxy of yours.',
    }),
  ),
};

const hosts = { us: 'api.mixpanel.com', eu: 'api-eu.mixpanel.com', in: 'api-in.mixpanel.com' } as const;

/** Where, as whom and to which project to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  /** For the header Authorization. */
  readonly authorization: string;
  readonly projectId: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { username, secret, projectId, region, baseUrl } = values;
  if (!/^\d{1,20}$/.test(projectId)) {
    throw invalid('projectId', 'This is not the id of a project.', 'Enter its number, not its token.');
  }
  if (username.includes(':')) {
    throw invalid('username', 'No user name has a colon in it.', 'Enter the user name without the secret.');
  }
  const base = webAddress(baseUrl ?? `https://${hosts[region]}`);
  return {
    base,
    authorization: `Basic ${Buffer.from(`${username}:${secret.trim()}`).toString('base64')}`,
    projectId,
  };
}

const invalid = invalidIn(config);
