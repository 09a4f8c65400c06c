import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  endpoint: field.text({
    label: 'REST endpoint',
    placeholder: 'rest.iad-01.braze.com',
    help: 'Copy it from Settings, APIs and Identifiers. A key of one instance is unknown to all others.',
  }),
  apiKey: field.secret({
    label: 'REST API key',
    help: 'Paste a REST API key with the permissions that the set-up guide names.',
  }),
  strangers: field.optional(
    field.choice({
      label: 'People Braze lacks',
      help: 'For events and lists: what to do about people whom Braze does not know. Left empty, they are left out.',
      of: { leave: 'Leave them out', make: 'Make users of them' },
    }),
  ),
  unsure: field.optional(
    field.choice({
      label: 'Events in doubt',
      help: 'When nobody knows whether an event arrived. Braze knows no repeat. Left empty, it is reported.',
      of: { report: 'Report them, send no more', again: 'Send again: may count twice' },
    }),
  ),
  aliasLabel: field.optional(
    field.text({
      label: 'Alias label',
      help: 'The label of the user aliases that rows have. Leave it empty if you use none.',
    }),
  ),
  objectsPerRequest: field.optional(
    field.number({
      label: 'Objects per request',
      help: 'Left empty, 50, which every plan takes. Most take 75.',
      min: 1,
      max: 75,
      whole: true,
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty to call the REST endpoint itself. Fill it in for a proxy of yours.',
    }),
  ),
};

/** Where, as whom and how to call. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly authorization: string;
  /** Events and lists make users of people whom Braze does not know. */
  readonly makesUsers: boolean;
  /** Events that may have arrived are sent again. */
  readonly repeatsEvents: boolean;
  readonly aliasLabel: string | undefined;
  readonly rows: number;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const host = values.endpoint.replace(/^https:\/\//, '').replace(/\/+$/, '');
  if (!/^rest\.[a-z]{2,4}-\d\d\.braze\.(?:com|eu)$/.test(host)) {
    throw invalid(
      'endpoint',
      'This is not a REST endpoint of Braze.',
      'Enter it as Braze shows it: rest.iad-01.braze.com, for example.',
    );
  }
  const base = webAddress(values.baseUrl ?? `https://${host}`);
  return {
    base,
    authorization: `Bearer ${values.apiKey.trim()}`,
    makesUsers: values.strangers === 'make',
    repeatsEvents: values.unsure === 'again',
    aliasLabel: values.aliasLabel,
    rows: values.objectsPerRequest ?? 50,
  };
}

const invalid = invalidIn(config);
