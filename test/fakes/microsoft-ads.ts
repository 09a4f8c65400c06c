import { type Answer, type FakeHttp, type Received, startFakeHttp } from './http.ts';

interface List {
  readonly id: string;
  readonly name: string;
  /** As `Email <hash>` or `CRM <id>`. */
  readonly items: Set<string>;
}

export interface MicrosoftState {
  readonly lists: List[];
  /** Access tokens that are good. */
  readonly tokens: Set<string>;
  termsAccepted: boolean;
}

export type FakeMicrosoft = FakeHttp<MicrosoftState>;

export const developerToken = '012A34B56C789D00';
export const refreshToken = 'M.C512_refresh-token-of-a-person';
export const apply = 'POST /CampaignManagement/v13/CustomerListUserData/Apply';
export const audiences = 'POST /CampaignManagement/v13/Audiences';

export interface Problem {
  readonly Code: number;
  readonly ErrorCode: string;
  readonly Message: string;
  readonly Index?: number;
}

/** A fault about a request as a whole; no status is in it. */
export function fault(
  Code: number,
  ErrorCode: string,
  Message = 'Something about this call.',
  status = 400,
): Answer {
  return {
    status,
    json: {
      Errors: [{ Code, ErrorCode, Message, Detail: null }],
      TrackingId: '9a8b7c6d-1234',
      Type: 'AdApiFaultDetail',
    },
  };
}

/** An answer of status 200 in which parts of the request are refused. */
export function partly(...errors: readonly Problem[]): Answer {
  return {
    json: {
      PartialErrors: errors.map((error) => ({
        FieldPath: null,
        Details: null,
        Type: 'BatchError',
        ...error,
      })),
    },
  };
}

/** A manager account with two customer lists. */
export function startMicrosoft(): Promise<FakeMicrosoft> {
  const state: MicrosoftState = {
    lists: [
      { id: '9007199254740993', name: 'Buyers', items: new Set() },
      { id: '12', name: 'Members', items: new Set() },
    ],
    tokens: new Set(),
    termsAccepted: true,
  };
  return startFakeHttp<MicrosoftState>(
    state,
    {
      'POST /common/oauth2/v2.0/token': token,
      [`${audiences}/QueryByIds`]: query,
      [audiences]: make,
      [apply]: change,
    },
    ({ path, headers }, { tokens }) => {
      const isKnown =
        tokens.has(headers['authorization']?.replace('Bearer ', '') ?? '') &&
        headers['developertoken'] === developerToken;
      return path.startsWith('/common/') || isKnown
        ? undefined
        : fault(105, 'InvalidCredentials', 'Authentication failed.', 401);
    },
  );
}

/** Each time another refresh token comes along; the one before stays good. */
function token({ body }: Received, { tokens }: MicrosoftState): Answer {
  const form = new URLSearchParams(body.toString('utf8'));
  if (form.get('refresh_token') !== refreshToken) {
    return {
      status: 400,
      json: { error: 'invalid_grant', error_description: 'AADSTS70000: The grant has expired.' },
    };
  }
  const made = `EwB4A8l6-${tokens.size + 1}`;
  tokens.add(made);
  return {
    json: {
      token_type: 'Bearer',
      expires_in: 3600,
      access_token: made,
      refresh_token: `${refreshToken}-next`,
    },
  };
}

function query(request: Received, { lists }: MicrosoftState): Answer {
  const { AudienceIds: ids, Type } = request.json<{ AudienceIds: readonly string[] | null; Type: string }>();
  const found = ids === null && Type === 'CustomerList' ? lists : [];
  return {
    json: {
      // What is not shown to the caller is null.
      Audiences: [null, ...found.map(({ id, name }) => ({ Id: id, Name: name, Type, SearchSize: null }))],
      PartialErrors: [],
    },
  };
}

function make(request: Received, { lists, termsAccepted }: MicrosoftState): Answer {
  const [wanted] = request.json<{ Audiences: readonly { Name: string; MembershipDuration: number }[] }>()
    .Audiences;
  const refused = (Code: number, ErrorCode: string): Answer => ({
    json: {
      AudienceIds: [null],
      PartialErrors: [{ Code, ErrorCode, Index: 0, Message: 'It can not be made.' }],
    },
  });
  if (!termsAccepted) {
    return refused(8003, 'CustomerListTermsAndConditionsNotAccepted');
  }
  if (wanted === undefined || lists.some(({ name }) => name === wanted.Name)) {
    return refused(4842, 'DuplicateAudienceName');
  }
  const id = String(100 + lists.length);
  lists.push({ id, name: wanted.Name, items: new Set() });
  return { json: { AudienceIds: [id], PartialErrors: [] } };
}

interface Sent {
  readonly CustomerListUserData: {
    readonly ActionType: 'Add' | 'Remove' | 'Replace';
    readonly AudienceId: string;
    readonly CustomerListItemSubType: 'Email' | 'CRM';
    readonly CustomerListItems: readonly string[];
    readonly AcceptCustomerMatchTerm?: boolean;
  };
}

/** Of an address Microsoft only sees whether it could be a hash. */
function change(request: Received, { lists, termsAccepted }: MicrosoftState): Answer {
  const {
    ActionType: action,
    AudienceId: id,
    CustomerListItemSubType: kind,
    CustomerListItems: items,
    AcceptCustomerMatchTerm: accepts = termsAccepted,
  } = request.json<Sent>().CustomerListUserData;
  const list = lists.find((one) => one.id === id);
  if (list === undefined) {
    return fault(8000, 'InvalidCustomerListId');
  }
  if (!accepts) {
    return fault(8003, 'CustomerListTermsAndConditionsNotAccepted');
  }
  if (items.length > 1000 || new Set(items).size < items.length) {
    return fault(1001, 'CustomerListItemsArrayNotValid');
  }
  if (action === 'Replace') {
    list.items.clear();
  }
  const errors = items.flatMap((item, Index) => {
    const isBad = kind === 'Email' ? !/^[0-9a-f]{64}$/.test(item) : item.length > 100;
    if (!isBad) {
      list.items[action === 'Remove' ? 'delete' : 'add'](`${kind} ${item}`);
    }
    return isBad
      ? [{ Code: 8004, ErrorCode: 'InvalidCustomerListItem', Message: `${item} is not valid.`, Index }]
      : [];
  });
  return partly(...errors);
}
