import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';
import type { Grant } from '../shared/oauth.ts';

export const config = {
  account: field.text({
    label: 'Account id',
    placeholder: '123456789',
    help: 'The number after aid= in the address of Microsoft Advertising, not the number with letters.',
  }),
  customer: field.text({
    label: 'Customer id',
    placeholder: '12345678',
    help: 'Of the manager account: the number after cid= in the address of Microsoft Advertising.',
  }),
  developerToken: field.secret({
    label: 'Developer token',
    help: 'Ask for one at developers.ads.microsoft.com, as a super admin.',
  }),
  clientId: field.text({
    label: 'Application id',
    help: 'The client id of your app registration in Microsoft Entra.',
  }),
  clientSecret: field.optional(
    field.secret({
      label: 'Client secret',
      help: 'Leave it empty if the app is registered as a native (public) one.',
    }),
  ),
  refreshToken: field.secret({
    label: 'Refresh token',
    help: 'Made with the scopes https://ads.microsoft.com/msads.manage and offline_access, by somebody with MFA.',
  }),
  terms: field.choice({
    label: 'Customer Match terms',
    help: 'Nobody is taken before they are accepted. Read them at go.microsoft.com/fwlink/?linkid=2106709.',
    of: {
      accepted: 'Accepted in Microsoft Advertising',
      accept: 'I accept them, with each upload',
    },
  }),
  days: field.optional(
    field.number({
      label: 'Days on new lists',
      min: 1,
      max: 180,
      whole: true,
      help: 'Microsoft forgets people after so many days unless they are added again. Leave it empty for never.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Only for a proxy of yours: it has to pass on /CampaignManagement, and /common to login.microsoftonline.com.',
    }),
  ),
};

/** Where, as whom and how to call, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly grant: Grant;
  /** Who calls on behalf of which account; without what changes with the token. */
  readonly headers: Readonly<Record<string, string>>;
  /** Each upload says that the terms are accepted. */
  readonly acceptsTerms: boolean;
  /** Undefined for ever. */
  readonly days: number | undefined;
}

const scope = 'https://ads.microsoft.com/msads.manage offline_access';

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { clientId, clientSecret, refreshToken, developerToken, terms, days } = values;
  const base = webAddress(values.baseUrl);
  return {
    base: base ?? 'https://campaign.api.bingads.microsoft.com',
    grant: {
      vendor: 'Microsoft',
      url: `${base ?? 'https://login.microsoftonline.com'}/common/oauth2/v2.0/token`,
      form: {
        grant_type: 'refresh_token',
        client_id: clientId.trim(),
        ...(clientSecret === undefined ? {} : { client_secret: clientSecret.trim() }),
        refresh_token: refreshToken.trim(),
        scope,
      },
      renew: 'a refresh token',
    },
    headers: {
      DeveloperToken: developerToken.trim(),
      CustomerId: digitsOf('customer', values.customer),
      CustomerAccountId: digitsOf('account', values.account),
    },
    acceptsTerms: terms === 'accept',
    days,
  };
}

function digitsOf(name: 'account' | 'customer', text: string): string {
  if (!/^\d{1,19}$/.test(text)) {
    throw invalid(
      name,
      'This is not an id: it has digits alone.',
      `Copy it from the address of Microsoft Advertising.`,
    );
  }
  return text;
}

const invalid = invalidIn(config);
