import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  accessToken: field.secret({
    label: 'Access token',
    help: 'Paste the token of a system user who is Admin on the ad account.',
  }),
  account: field.text({
    label: 'Ad account',
    placeholder: 'act_1234567890',
    help: 'Copy its id from the address of Ads Manager, with or without act_ before it.',
  }),
  fileSource: field.choice({
    label: 'Where the data is from',
    help: 'Facebook wants to know this of each list that is made.',
    of: {
      USER_PROVIDED_ONLY: 'From the people themselves',
      PARTNER_PROVIDED_ONLY: 'From partners',
      BOTH_USER_AND_PARTNER_PROVIDED: 'From both',
    },
  }),
  appSecret: field.optional(
    field.secret({
      label: 'App secret',
      help: 'Only if your app requires proof of it with each call (appsecret_proof).',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty for https://graph.facebook.com. Fill it in for a proxy of yours.',
    }),
  ),
};

/** Where and as whom to call, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly token: string;
  readonly appSecret: string | undefined;
  /** `act_` and digits. */
  readonly account: string;
  readonly fileSource: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const digits = /^(?:act_)?(\d{1,30})$/.exec(values.account)?.[1];
  if (digits === undefined) {
    throw invalid('account', 'This is not the id of an ad account.', 'Enter it as act_1234567890.');
  }
  const base = webAddress(values.baseUrl ?? 'https://graph.facebook.com');
  return {
    base,
    token: values.accessToken.trim(),
    appSecret: values.appSecret?.trim(),
    account: `act_${digits}`,
    fileSource: values.fileSource,
  };
}

const invalid = invalidIn(config);
