import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  apiKey: field.secret({
    label: 'API key',
    help: 'Paste a key of Account, Extras, API keys, with what stands after its last dash.',
  }),
  statusIfNew: field.choice({
    label: 'Status of new contacts',
    help: 'Subscribed only if all have agreed to your mails. Whoever is a contact already keeps their status.',
    of: {
      subscribed: 'Subscribed: they have agreed',
      pending: 'Pending: Mailchimp asks them first',
      transactional: 'Transactional: no marketing',
    },
  }),
  audience: field.optional(
    field.text({
      label: 'Audience id',
      placeholder: '1a2b3c4d5e',
      help: "Copy it from the audience's settings. Leave it empty if the account has only one audience.",
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Leave it empty for the address that belongs to the key. Fill it in for a proxy of yours.',
    }),
  ),
};

/** Where and as whom to call, in full. */
export interface Login {
  /** With the version, without a slash at its end. */
  readonly base: string;
  readonly authorization: string;
  readonly statusIfNew: string;
  /** The only audience to be used. */
  readonly audience: string | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>, version: string): Login {
  const key = values.apiKey.trim();
  // Part of a host name from here on: nothing else may be in it.
  const centre = /^[A-Za-z0-9]+-([a-z]{2,3}\d{1,3})$/.exec(key)?.[1];
  if (centre === undefined) {
    throw invalid(
      'apiKey',
      'This is not an API key of Mailchimp.',
      'Paste the whole key: it ends in a dash and the name of a data centre, as -us19.',
    );
  }
  const { audience } = values;
  if (audience !== undefined && !/^[A-Za-z0-9]+$/.test(audience)) {
    throw invalid(
      'audience',
      'This is not the id of an audience.',
      'It has ten letters and digits, as 1a2b3c4d5e.',
    );
  }
  const base = webAddress(values.baseUrl ?? `https://${centre}.api.mailchimp.com`);
  return {
    base: `${base}/${version}`,
    authorization: `Basic ${Buffer.from(`activate:${key}`).toString('base64')}`,
    statusIfNew: values.statusIfNew,
    audience,
  };
}

export const invalid = invalidIn(config);
