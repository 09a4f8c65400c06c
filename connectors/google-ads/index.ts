import { defineConnector } from '../../engine/contracts/connector.ts';
import type { Audiences, Call, Member, Outcome } from '../../engine/contracts/destination.ts';
import { type Api, bodyOf, openApi, version } from './api.ts';
import { config, loginOf } from './config.ts';
import { create, isTaken, kindOf, lists, listToMake, placeOf } from './lists.ts';
import { consentOf, identifiers, personOf, traits } from './people.ts';
import { carry, type Upload } from './uploads.ts';

/** Customer Match lists of Google Ads, by the Data Manager API: people matched by hashes. */
export const googleAds = defineConnector({
  id: 'google-ads',
  name: 'Google Ads',
  summary: 'Keeps Customer Match lists of Google Ads in step with your rows.',
  config,
  offers: ['audiences'],
  hosts: ['datamanager.googleapis.com', 'oauth2.googleapis.com'],
  api: { version: `Data Manager API ${version}` },
  setup: [
    'In Google Cloud make a project, and enable the Data Manager API in it. No developer token is needed.',
    'Make an OAuth client and a refresh token with the scope `https://www.googleapis.com/auth/datamanager`, as somebody with Standard access to the account. Publish the consent screen first: while it is in testing, tokens end after seven days.',
    'Or make a service account with a key, and invite its address as a user of the account.',
    'Accept the Customer Match terms in Google Ads: Tools, Audience manager, Customer lists. Answer the question on political ads in the European Union, too.',
    'Send only people who have agreed: leave the others out in the query, which takes them off the list. A row whose consent says no takes the person off, too, and is reported.',
    'A run ends when Google says what became of people. That takes half an hour as a rule, and up to a day.',
    'Google forgets people 540 days after they were last added, and tells nobody: say `/activate resync` and send everything again once a year.',
    'A postal address needs a first name, a last name, a country and a postal code, and counts beside an e-mail address or a telephone number only.',
  ],
  verified: 'Tested against a server of ours that answers as Google documents, not against Google.',
  open: async (values, context) => {
    const api = openApi(loginOf(values), context);
    return {
      audiences: audiencesOf(api),
      check: () => check(api),
      close: async () => undefined,
    };
  },
});

function audiencesOf(api: Api): Audiences {
  return {
    // A call ends when Google has dealt with its people, so that many wait at once: 300 a minute may be sent.
    limits: { rows: 10_000, concurrency: 5 },
    identifiers,
    smallest: 100,
    lists: (typed) => lists(api, typed),
    create: (name) => create(api, name),
    traits: async () => traits,
    add: (list, members, call) => add(api, list, members, call),
    remove: (list, members, call) => remove(api, list, members, call),
  };
}

/** Reads lists, and lets Google say whether one could be made, without making it. */
async function check(api: Api): Promise<readonly string[]> {
  bodyOf(await api.ask({ method: 'GET', path: placeOf(api), query: { pageSize: 1 } }));
  const tried = await api.ask({
    method: 'POST',
    path: placeOf(api),
    query: { validateOnly: true },
    json: listToMake('Activate: may lists be made?', api.login.newLists),
  });
  if (!('error' in tried) || isTaken(tried.refusal.reasons)) {
    return [];
  }
  if (tried.error.code === 'PERMISSION_DENIED') {
    return [`Lists can be read, but not made. ${tried.error.message} ${tried.error.fix ?? ''}`.trim()];
  }
  throw tried.error;
}

// People -------------------------------------------------------------------------------------------------------------

/** Who says that they do not agree is taken off: they may be on the list from before. */
async function add(
  api: Api,
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await kindOf(api, list, true, call.signal);
  const outcomes = new Map<number, Outcome>();
  const joining = new Map<number, object>();
  const leaving = new Map<number, object>();
  for (const [at, member] of members.entries()) {
    const found = personOf(member, kind);
    const agreed = consentOf(member, api.login);
    if ('unfit' in found) {
      outcomes.set(at, { state: 'rejected', reason: found.unfit });
    } else if (agreed.state === 'denied') {
      leaving.set(at, found.person);
    } else if (agreed.state === 'unsaid') {
      outcomes.set(at, { state: 'rejected', reason: 'The row does not say whether this person has agreed.' });
    } else {
      joining.set(at, { ...found.person, ...agreed.said });
    }
  }
  const uploads: readonly Upload[] = [
    { verb: 'ingest', list, people: joining },
    // Last: whoever is in two rows, and agrees in one only, is off.
    { verb: 'remove', list, people: leaving },
  ];
  await carry(
    api,
    uploads.filter(({ people }) => people.size > 0),
    call,
    (at, outcome) => {
      const isOff = leaving.has(at) && outcome.state === 'ok';
      outcomes.set(
        at,
        isOff
          ? { state: 'rejected', reason: 'This person has not agreed, and was taken off the list.' }
          : outcome,
      );
    },
  );
  return inOrder(members, outcomes);
}

/** Who is known by nothing that the list knows can't be on it. */
async function remove(
  api: Api,
  list: string,
  members: readonly Member[],
  call: Call,
): Promise<readonly Outcome[]> {
  const kind = await kindOf(api, list, false, call.signal);
  const outcomes = new Map<number, Outcome>();
  const people = new Map<number, object>();
  for (const [at, member] of members.entries()) {
    const found = personOf(member, kind);
    if ('unfit' in found) {
      outcomes.set(at, { state: 'ok' });
    } else {
      people.set(at, found.person);
    }
  }
  if (people.size > 0) {
    await carry(
      api,
      [{ verb: 'remove', list, people }],
      call,
      (at, outcome) => void outcomes.set(at, outcome),
    );
  }
  return inOrder(members, outcomes);
}

function inOrder(members: readonly Member[], outcomes: ReadonlyMap<number, Outcome>): readonly Outcome[] {
  return members.map(
    (_, at) =>
      outcomes.get(at) ?? { state: 'unknown', reason: 'Google does not say what became of this person.' },
  );
}
