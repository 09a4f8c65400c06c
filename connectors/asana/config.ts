import { field, type Values } from '../../engine/contracts/form.ts';
import { parsedUrl } from '../../engine/contracts/url.ts';
import { invalidIn } from '../shared/login.ts';

const plans = {
  free: 'Free: 150 requests a minute',
  paid: 'Paid: 1,500 requests a minute',
} as const;

/** What a connection needs: a token, or the three values of an app. */
export const config = {
  token: field.optional(
    field.secret({
      label: 'Access token',
      help: 'Paste a personal access token, or that of a service account. Leave it empty to sign in as an app.',
    }),
  ),
  clientId: field.optional(
    field.text({ label: 'Client ID of an app', help: 'Only if you sign in as an app, with the two below.' }),
  ),
  clientSecret: field.optional(field.secret({ label: 'Client secret' })),
  refreshToken: field.optional(field.secret({ label: 'Refresh token' })),
  plan: field.optional(
    field.choice({
      label: 'Plan at Asana',
      help: 'It says how fast Activate may go. Leave it empty for free.',
      of: plans,
    }),
  ),
  markField: field.optional(
    field.text({
      label: 'Field for the mark',
      help: 'The name of a text field that is to hold our mark. Leave it empty for the last line of the description.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      placeholder: 'https://app.asana.com',
      help: 'Only for a proxy of yours.',
    }),
  ),
};

/** A token, or an app that has its own values at tasks (`external`). */
export type Login =
  | { readonly type: 'token'; readonly token: string }
  | {
      readonly type: 'app';
      readonly clientId: string;
      readonly clientSecret: string;
      readonly refreshToken: string;
    };

export interface Settings {
  readonly login: Login;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly requestsPerMinute: number;
  readonly markField: string | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function settingsOf(values: Values<typeof config>): Settings {
  return {
    login: loginOf(values),
    baseUrl: baseUrlOf(values.baseUrl),
    requestsPerMinute: values.plan === 'paid' ? 1500 : 150,
    markField: values.markField,
  };
}

function loginOf({ token, clientId, clientSecret, refreshToken }: Values<typeof config>): Login {
  const app = { clientId, clientSecret, refreshToken };
  const given = Object.values(app).filter((value) => value !== undefined);
  if (token !== undefined) {
    if (given.length > 0) {
      throw invalid('token', 'There is an access token and an app.', 'Fill in one of the two.');
    }
    return { type: 'token', token: token.trim() };
  }
  if (clientId === undefined || clientSecret === undefined || refreshToken === undefined) {
    const [missing] = Object.entries(app).find(([, value]) => value === undefined) ?? ['token'];
    throw given.length === 0
      ? invalid('token', 'The access token is missing.', 'Paste one, or fill in the three values of an app.')
      : invalid(
          missing as keyof typeof app,
          'An app needs its client ID, its client secret and a refresh token.',
          'Fill in all three, or an access token alone.',
        );
  }
  return { type: 'app', clientId, clientSecret, refreshToken };
}

function baseUrlOf(text = 'https://app.asana.com'): string {
  const url = parsedUrl(text);
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search + url.hash !== '') {
    throw invalid('baseUrl', 'This is not an address of the web.', 'Write it as https://app.asana.com.');
  }
  return url.href.replace(/\/+$/, '');
}

const invalid = invalidIn(config);
