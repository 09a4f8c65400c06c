import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidIn, webAddress } from '../shared/login.ts';

export const config = {
  subdomain: field.text({
    label: 'Subdomain',
    placeholder: 'mc563885gzs27c5t9-63k636ttgm',
    help: 'The beginning of the Authentication Base URI of the installed package, before .auth.',
  }),
  businessUnit: field.text({
    label: 'Business unit (MID)',
    placeholder: '7221234',
    help: 'The one whose data extensions are kept: from another one they are not found.',
  }),
  clientId: field.text({ label: 'Client id', help: 'Of the API integration of the installed package.' }),
  clientSecret: field.secret({ label: 'Client secret', help: 'Beside the client id.' }),
  leaving: field.optional(
    field.choice({
      label: 'Who leaves a list',
      help: 'Is marked, so that a journey can see them leave, or has their row deleted. Leave it empty to mark them.',
      of: {
        mark: 'Keep the row and mark it',
        delete: 'Delete the row',
      },
    }),
  ),
  memberColumn: field.optional(
    field.text({
      label: 'Column of membership',
      placeholder: 'IsMember',
      max: 128,
      help: 'The Boolean column that marks who is on the list. Leave it empty for IsMember, or if rows are deleted.',
    }),
  ),
  folder: field.optional(
    field.number({
      label: 'Folder of new lists',
      min: 1,
      whole: true,
      help: 'The number (category id) of the folder in which data extensions are made. Leave it empty if none are to be made.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Only for a proxy of yours: it has to pass on /v2 to the auth host, /Service.asmx to the soap host, and all else to rest.',
    }),
  ),
};

/** Where, as whom and how to call, in full. */
export interface Login {
  /** Without a slash at its end, as the next. */
  readonly rest: string;
  readonly auth: string;
  readonly soap: string;
  readonly businessUnit: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Undefined where rows are deleted. */
  readonly memberColumn: string | undefined;
  readonly folder: number | undefined;
}

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { subdomain, businessUnit, baseUrl } = values;
  // Part of the name of a host that the secret is sent to: nothing else may be in it.
  if (!/^[a-zA-Z0-9-]+$/.test(subdomain)) {
    throw invalid(
      'subdomain',
      'This is not a subdomain of Marketing Cloud.',
      'Enter what stands between https:// and .auth.marketingcloudapis.com.',
    );
  }
  if (!/^\d+$/.test(businessUnit)) {
    throw invalid(
      'businessUnit',
      'This is not a MID.',
      'It is a number, beside the name of the business unit.',
    );
  }
  const base = webAddress(baseUrl);
  return {
    rest: base ?? `https://${subdomain}.rest.marketingcloudapis.com`,
    auth: base ?? `https://${subdomain}.auth.marketingcloudapis.com`,
    soap: base ?? `https://${subdomain}.soap.marketingcloudapis.com`,
    businessUnit,
    clientId: values.clientId,
    clientSecret: values.clientSecret.trim(),
    memberColumn: values.leaving === 'delete' ? undefined : (values.memberColumn ?? 'IsMember'),
    folder: values.folder,
  };
}

export const invalid = invalidIn(config);
