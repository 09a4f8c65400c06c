import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  accessToken: field.secret({
    label: 'Access token',
    help: 'Paste the long-lived token that your app got when the advertiser authorized it.',
  }),
  advertiser: field.text({
    label: 'Advertiser id',
    placeholder: '7012345678901234567',
    help: 'The number of the ad account, as it stands in TikTok Ads Manager.',
  }),
  newLists: field.optional(
    field.choice({
      label: 'New lists know people by',
      help: 'TikTok wants to be told one kind when a list is made. Leave it empty for e-mail addresses.',
      of: {
        EMAIL_SHA256: 'E-mail addresses',
        PHONE_SHA256: 'Telephone numbers',
        IDFA_SHA256: 'Advertising ids of iOS',
        AAID_SHA256: 'Advertising ids of Android',
      },
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty for https://business-api.tiktok.com. Fill it in for a sandbox, or a proxy of yours.',
    }),
  ),
};

/** Where and as whom to call, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly token: string;
  /** Digits. */
  readonly advertiser: string;
  readonly newLists: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  if (!/^\d{5,30}$/.test(values.advertiser)) {
    throw invalid(
      'advertiser',
      'This is not the id of an advertiser.',
      'Enter the number alone: TikTok Ads Manager shows it beside the name of the account.',
    );
  }
  const base = webAddress(values.baseUrl ?? 'https://business-api.tiktok.com');
  return {
    base,
    token: values.accessToken.trim(),
    advertiser: values.advertiser,
    newLists: values.newLists ?? 'EMAIL_SHA256',
  };
}

export const invalid = invalidIn(config);
