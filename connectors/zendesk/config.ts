import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';

const visibilities = {
  internal: 'An internal note: nobody outside sees it',
  public: 'A public reply: its requester gets it',
} as const;

/** What a connection needs: an OAuth client, or the API token of an agent while there still are such. */
export const config = {
  subdomain: field.text({
    label: 'Subdomain',
    placeholder: 'acme',
    help: 'What comes before .zendesk.com where you open Zendesk.',
  }),
  clientId: field.optional(
    field.text({ label: 'Client identifier', help: 'That of a confidential OAuth client.' }),
  ),
  clientSecret: field.optional(field.secret({ label: 'Client secret' })),
  email: field.optional(
    field.text({
      label: 'E-mail address',
      help: 'Only with an API token: that of the agent in whose name tickets come.',
    }),
  ),
  token: field.optional(
    field.secret({
      label: 'API token',
      help: 'In place of an OAuth client. Zendesk ends API tokens on 30 April 2027.',
    }),
  ),
  firstComment: field.optional(
    field.choice({
      label: 'The text of a ticket is',
      help: 'Leave it empty for an internal note.',
      of: visibilities,
    }),
  ),
  requestsPerMinute: field.optional(
    field.number({
      label: 'Requests a minute',
      help: 'How many of what your plan has Activate may use; all integrations share them. Leave it empty for 100.',
      min: 1,
      max: 2500,
      whole: true,
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      placeholder: 'https://acme.zendesk.com',
      help: 'Only for a proxy of yours.',
    }),
  ),
};

/** An app that gets its tokens by itself, or a token that stays. */
export type Login =
  | { readonly type: 'client'; readonly clientId: string; readonly clientSecret: string }
  | { readonly type: 'token'; readonly authorization: string };

export interface Settings {
  readonly login: Login;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Where agents see tickets, without a slash at its end. */
  readonly site: string;
  readonly isPublic: boolean;
  readonly requestsPerMinute: number;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function settingsOf(values: Values<typeof config>): Settings {
  const site = siteOf(values.subdomain);
  return {
    login: loginOf(values),
    site,
    baseUrl: baseUrlOf(values.baseUrl ?? site),
    isPublic: values.firstComment === 'public',
    requestsPerMinute: values.requestsPerMinute ?? 100,
  };
}

function loginOf({ clientId, clientSecret, email, token }: Values<typeof config>): Login {
  const hasClient = clientId !== undefined || clientSecret !== undefined;
  if (hasClient && token !== undefined) {
    throw invalid('token', 'There is an OAuth client and an API token.', 'Fill in one of the two.');
  }
  if (token !== undefined) {
    if (email === undefined) {
      throw invalid(
        'email',
        'An API token needs the e-mail address of an agent with it.',
        'Fill in that of the agent in whose name tickets are to come.',
      );
    }
    const key = Buffer.from(`${email}/token:${token.trim()}`).toString('base64');
    return { type: 'token', authorization: `Basic ${key}` };
  }
  if (clientId === undefined || clientSecret === undefined) {
    const missing = clientId === undefined ? 'clientId' : 'clientSecret';
    throw invalid(
      missing,
      'An OAuth client needs its identifier and its secret.',
      'Fill in both, or an API token with its e-mail address.',
    );
  }
  return { type: 'client', clientId: clientId.trim(), clientSecret: clientSecret.trim() };
}

/** People paste the whole address too. */
function siteOf(text: string): string {
  const [, name] = /^(?:https?:\/\/)?([a-z0-9][a-z0-9-]*)(?:\.zendesk\.com(?:\/.*)?)?$/i.exec(text) ?? [];
  if (name === undefined) {
    throw invalid(
      'subdomain',
      'This is not the subdomain of a Zendesk.',
      'Give what comes before .zendesk.com, as acme.',
    );
  }
  return `https://${name.toLowerCase()}.zendesk.com`;
}

function baseUrlOf(text: string): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search + url.hash !== '') {
    throw invalid('baseUrl', 'This is not an address of the web.', 'Write it as https://acme.zendesk.com.');
  }
  return url.href.replace(/\/+$/, '');
}

export const invalid = invalidIn(config);
