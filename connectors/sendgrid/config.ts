import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  apiKey: field.secret({
    label: 'API key',
    help: 'Made under Settings, API Keys, with full access to Marketing. It begins with SG.',
  }),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty for api.sendgrid.com. Fill it in for a proxy of yours.',
    }),
  ),
};

/** Where and as whom to call, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly apiKey: string;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const apiKey = values.apiKey.trim();
  if (!/^SG\.[\w.-]+$/.test(apiKey)) {
    throw invalid('apiKey', 'This is not an API key of SendGrid.', 'Paste the whole key: it begins with SG.');
  }
  const base = webAddress(values.baseUrl ?? 'https://api.sendgrid.com');
  return { base, apiKey };
}

const invalid = invalidIn(config);
