import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  region: field.choice({
    label: 'Region',
    help: 'Where your workspace is kept, as Settings, General shows it. A token is known in its own region only.',
    of: { us: 'United States', eu: 'Europe', au: 'Australia' },
  }),
  accessToken: field.secret({
    label: 'Access token',
    help: 'Paste the access token of your own app, from the Developer Hub, Authentication.',
  }),
  deleting: field.optional(
    field.choice({
      label: 'Deleted contacts',
      help: 'What becomes of contacts that a sync deletes. Left empty, they are archived, and can be restored.',
      of: { archive: 'Archive them', erase: 'Delete them for good' },
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call Intercom itself. Fill it in for a proxy of yours.',
    }),
  ),
};

export type Region = 'us' | 'eu' | 'au';

/** Where, as whom and how to call. */
export interface Login {
  readonly region: Region;
  /** Without a slash at its end. */
  readonly base: string;
  /** Where people open Intercom. */
  readonly home: string;
  readonly authorization: string;
  /** Contacts are deleted for good where others would be archived. */
  readonly erases: boolean;
}

const places = {
  us: { base: 'https://api.intercom.io', home: 'https://app.intercom.com' },
  eu: { base: 'https://api.eu.intercom.io', home: 'https://app.eu.intercom.com' },
  au: { base: 'https://api.au.intercom.io', home: 'https://app.au.intercom.com' },
} as const;

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf({ region, accessToken, deleting, baseUrl }: Values<typeof config>): Login {
  const token = accessToken.trim();
  if (!/^[\w.~+/:=-]+$/.test(token)) {
    throw invalid('accessToken', 'This is not an access token.', 'Paste it without quotes and spaces.');
  }
  const { base, home } = places[region];
  const own = webAddress(baseUrl ?? base);
  return {
    region,
    base: own,
    home,
    authorization: `Bearer ${token}`,
    erases: deleting === 'erase',
  };
}

const invalid = invalidIn(config);
