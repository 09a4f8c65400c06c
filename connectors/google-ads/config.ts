import { field, type Values } from '../../engine/contracts/form.ts';
import { invalidAt, webAddress } from '../shared/login.ts';
import { type Grant, grantOf } from './sign-in.ts';

export const config = {
  account: field.text({
    label: 'Google Ads account',
    placeholder: '123-456-7890',
    help: 'The account whose lists are kept, as it stands at the top of Google Ads.',
  }),
  manager: field.optional(
    field.text({
      label: 'Manager account',
      placeholder: '123-456-7890',
      help: 'Only if the one who signs in is a user of a manager account, and not of the account itself.',
    }),
  ),
  terms: field.choice({
    label: 'Customer Match terms',
    help: 'Each upload says that they are accepted. Read them at support.google.com/adspolicy/answer/6299717.',
    of: { ACCEPTED: 'Accepted for this account' },
  }),
  consent: field.choice({
    label: 'Consent of the people',
    help: 'Google takes nobody who has not agreed to ads with their data. What a row says itself always counts.',
    of: {
      granted: 'All have agreed, on record',
      mapped: 'Each row says it',
      unsaid: "The account's own settings say it",
    },
  }),
  clientId: field.optional(
    field.text({
      label: 'OAuth client ID',
      max: 300,
      help: 'Of your Google Cloud project, with the two below. Leave the three empty for a service account.',
    }),
  ),
  clientSecret: field.optional(field.secret({ label: 'OAuth client secret' })),
  refreshToken: field.optional(
    field.secret({
      label: 'Refresh token',
      help: 'Made with the scope https://www.googleapis.com/auth/datamanager; one for adwords does not do.',
    }),
  ),
  serviceAccount: field.optional(
    field.secret({
      label: 'Service account key',
      help: 'The whole JSON file of its key. Make the service account a user of the Google Ads account.',
    }),
  ),
  newLists: field.optional(
    field.choice({
      label: 'New lists know people by',
      help: 'Google wants one kind of each list, for good. Leave it empty for the first.',
      of: {
        contact: 'E-mail, telephone, address',
        user: 'User ids of your own',
        ios: 'Advertising ids of iOS',
        android: 'Advertising ids of Android',
      },
    }),
  ),
  appId: field.optional(
    field.text({
      label: 'App id',
      placeholder: 'com.example.app',
      help: 'Only for new lists of advertising ids: the app that they were collected with, as its store names it.',
    }),
  ),
  days: field.optional(
    field.number({
      label: 'Days on new lists',
      min: 1,
      max: 540,
      whole: true,
      help: 'Google forgets people after so many days unless they are added again. Leave it empty for 540.',
    }),
  ),
  baseUrl: field.optional(
    field.text({
      label: 'Base URL',
      help: 'Only for a proxy of yours: it has to pass on /v1 to the Data Manager API, and /token to Google.',
    }),
  ),
};

/** What people of a list are known by. */
export type Kind = 'contact' | 'user' | 'mobile';

export interface NewLists {
  readonly kind: 'contact' | 'user' | 'ios' | 'android';
  readonly appId: string | undefined;
  readonly days: number;
}

/** Where, as whom and how to call, in full. */
export interface Login {
  /** Without a slash at its end. */
  readonly base: string;
  readonly grant: Grant;
  /** Digits alone, as the next. */
  readonly account: string;
  readonly manager: string | undefined;
  readonly consent: 'granted' | 'mapped' | 'unsaid';
  readonly newLists: NewLists;
}

/** Google keeps nobody longer. */
const mostDays = 540;

/** Reads the fields; CONFIG_INVALID names the one at fault, and never repeats what is secret. */
export function loginOf(values: Values<typeof config>): Login {
  const { newLists: kind = 'contact', appId, days = mostDays } = values;
  if ((kind === 'ios' || kind === 'android') && appId === undefined) {
    throw invalidAt(
      'appId',
      'Lists of advertising ids belong to an app.',
      'Fill in the id of the app, or choose another kind of new lists.',
    );
  }
  const base = webAddress(values.baseUrl);
  return {
    base: base ?? 'https://datamanager.googleapis.com',
    grant: grantOf(values, base ?? 'https://oauth2.googleapis.com'),
    account: digitsOf('account', values.account),
    manager: values.manager === undefined ? undefined : digitsOf('manager', values.manager),
    consent: values.consent,
    newLists: { kind, appId, days },
  };
}

function digitsOf(name: 'account' | 'manager', text: string): string {
  const digits = text.replaceAll(/[\s-]/g, '');
  if (!/^\d{10}$/.test(digits)) {
    throw invalidAt(name, 'This is not the number of a Google Ads account.', 'Enter it as 123-456-7890.');
  }
  return digits;
}
