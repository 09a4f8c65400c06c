import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';

const flavors = { cloud: 'Jira Cloud', dc: 'Jira Data Center' } as const;
export type Flavor = keyof typeof flavors;

/** What a connection needs. Where a Jira is differs for everybody, so that the base URL is no override here. */
export const config = {
  flavor: field.choice({ label: 'Kind of Jira', of: flavors }),
  baseUrl: field.text({
    label: 'Base URL',
    placeholder: 'https://acme.atlassian.net',
    help: 'Where you open Jira in the browser, without what comes after the host (or after /jira, if yours is below that).',
  }),
  email: field.optional(
    field.text({ label: 'E-mail address', help: 'For Jira Cloud: that of the user whose API token it is.' }),
  ),
  token: field.secret({
    label: 'Token',
    help: 'For Jira Cloud an API token, for Data Center a personal access token.',
  }),
  issueType: field.optional(
    field.text({
      label: 'Issue type',
      placeholder: 'Task',
      help: 'What new issues are, unless a mapping says otherwise. Leave it empty for Task.',
    }),
  ),
};

export interface Settings {
  readonly flavor: Flavor;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly authorization: string;
  readonly issueType: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function settingsOf(values: Values<typeof config>): Settings {
  const { flavor, email, token, issueType = 'Task' } = values;
  return {
    flavor,
    baseUrl: baseUrlOf(values.baseUrl),
    authorization: authorizationOf(flavor, email, token.trim()),
    issueType: issueType.trim(),
  };
}

function authorizationOf(flavor: Flavor, email: string | undefined, token: string): string {
  switch (flavor) {
    case 'dc':
      return `Bearer ${token}`;
    case 'cloud':
      if (email === undefined) {
        throw invalid(
          'email',
          'Jira Cloud needs an e-mail address with the token.',
          'Fill in that of the user who made the token.',
        );
      }
      return `Basic ${Buffer.from(`${email}:${token}`).toString('base64')}`;
    default:
      return flavor satisfies never;
  }
}

function baseUrlOf(text: string): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search + url.hash !== '') {
    throw invalid(
      'baseUrl',
      'This is not the address of a Jira.',
      'Write it as https://acme.atlassian.net or https://jira.example.com.',
    );
  }
  // People copy the address of the page they are on.
  const path = url.pathname.replace(/\/(?:browse|projects|secure|issues|rest)\/.*$/, '');
  return `${url.origin}${path}`.replace(/\/+$/, '');
}

export const invalid = invalidIn(config);
