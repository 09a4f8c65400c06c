import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  accessToken: field.secret({
    label: 'Access token',
    help: 'Paste the key of Settings, Integrations, Service Keys, or the access token of a private app.',
  }),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call HubSpot itself. Fill it in for a proxy of yours.',
    }),
  ),
};

/** Where and as whom to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly authorization: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const token = values.accessToken.trim();
  if (!/^[\w.~+/=-]+$/.test(token)) {
    throw invalid(
      'accessToken',
      'This is not an access token.',
      'Paste it without quotes and spaces, as pat-eu1-….',
    );
  }
  const base = webAddress(values.baseUrl ?? 'https://api.hubapi.com');
  return { base, authorization: `Bearer ${token}` };
}

const invalid = invalidIn(config);
