import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  account: field.text({
    label: 'Ad account id',
    placeholder: '8adc3db7-8148-4fbf-999c-8d2266369d74',
    help: 'Copy it from Ad Accounts in Snapchat Ads Manager. It is not the id of the organization.',
  }),
  clientId: field.text({
    label: 'OAuth client ID',
    help: 'Of the OAuth app under Business Details.',
  }),
  clientSecret: field.secret({
    label: 'OAuth client secret',
    help: 'Snapchat shows it once, when the app is made.',
  }),
  refreshToken: field.secret({
    label: 'Refresh token',
    help: 'Got by somebody who may manage the data of the ad account, with the scope snapchat-marketing-api.',
  }),
  days: field.optional(
    field.number({
      label: 'Days on new lists',
      min: 1,
      max: 9999,
      whole: true,
      help: 'Snapchat forgets people after so many days unless they are added again. Leave it empty for never.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Only for a proxy of yours: it has to pass on /v1 to adsapi, and /login to accounts.snapchat.com.',
    }),
  ),
};

/** Where and as whom to call, in full. */
export interface Login {
  /** Without a slash at its end, as the next. */
  readonly base: string;
  readonly accounts: string;
  readonly account: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** 9999 is for ever. */
  readonly days: number;
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  if (!uuid.test(values.account)) {
    throw invalid(
      'account',
      'This is not the id of an ad account.',
      'Enter it as 8adc3db7-8148-4fbf-999c-8d2266369d74.',
    );
  }
  const base = webAddress(values.baseUrl);
  return {
    base: base ?? 'https://adsapi.snapchat.com',
    accounts: base ?? 'https://accounts.snapchat.com',
    account: values.account.toLowerCase(),
    clientId: values.clientId,
    clientSecret: values.clientSecret.trim(),
    refreshToken: values.refreshToken.trim(),
    days: values.days ?? 9999,
  };
}

const invalid = invalidIn(config);
