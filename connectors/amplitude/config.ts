import { field, type Values } from '../../engine/contracts/form.ts';
import { webAddress } from '../shared/login.ts';

export const config = {
  apiKey: field.secret({
    label: 'API key',
    help: 'Copy the API key of the project from its settings in Amplitude. The secret key is not needed.',
  }),
  region: field.choice({
    label: 'Region',
    help: 'You see it by the address at which you use Amplitude.',
    of: { us: 'Default: app.amplitude.com', eu: 'European Union: app.eu.amplitude.com' },
  }),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call Amplitude itself. Fill it in for a proxy of yours.',
    }),
  ),
};

const hosts = { us: 'api2.amplitude.com', eu: 'api.eu.amplitude.com' } as const;

/** Where and as which project to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly apiKey: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault. */
export function loginOf({ apiKey, region, baseUrl }: Values<typeof config>): Login {
  const base = webAddress(baseUrl ?? `https://${hosts[region]}`);
  return { base, apiKey: apiKey.trim() };
}
