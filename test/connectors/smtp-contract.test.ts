import { smtp } from '../../connectors/smtp/index.ts';
import { destinationContract, type FarSide } from '../contracts/destination.ts';
import type { Answer, Reply as HttpReply, Received } from '../fakes/http.ts';
import { type FakeSmtp, headerOf, type Reply, startSmtp } from '../fakes/smtp.ts';

/** What the suite says in terms of the web, in those of a mail server. Each mail is one request. */
function inTermsOfMail(far: FakeSmtp): FarSide['fake'] {
  const requests: Received[] = [];
  const planned: (HttpReply | undefined)[] = [];
  let always: HttpReply | undefined;
  let now: HttpReply | undefined;
  const arrivals: ((request: Received) => void)[] = [];
  far.says.from = () => {
    const request = requestOf(far);
    requests.push(request);
    const reply = planned.length > 0 ? planned.shift() : always;
    now = typeof reply === 'function' ? reply(request) : reply;
    for (const tell of arrivals.splice(0)) {
      tell(request);
    }
    return typeof now === 'object' ? atSender(now) : undefined;
  };
  far.says.to = (address) => {
    if (now === 'hang') {
      return 'hang';
    }
    if (address.startsWith('bad')) {
      return { code: 550, text: '5.7.1 This one is not taken' };
    }
    return typeof now === 'object' ? atRecipient(now) : undefined;
  };
  far.says.data = () =>
    now === 'done-then-reset' ? 'cut' : now === 'done-then-garbage' ? 'garbage' : undefined;
  return {
    requests,
    next: (...replies) => void planned.push(...replies),
    always: (reply) => {
      always = reply;
    },
    arrival: () => new Promise((resolve) => arrivals.push(resolve)),
    expectNoUnexpected: () => undefined,
    close: () => far.close(),
  };
}

/** What a server could quote: all that it was told. */
function requestOf(far: FakeSmtp): Received {
  const body = Buffer.from('');
  return {
    method: 'MAIL',
    path: '',
    query: new URLSearchParams(),
    headers: { authorization: `${far.user} ${far.password}` },
    body,
    params: {},
    json: () => {
      throw new Error('A mail is no JSON');
    },
  };
}

function words({ json, text }: Answer): string {
  return (text?.toString() ?? JSON.stringify(json ?? '')).replaceAll(/\s+/g, ' ').slice(0, 400);
}

function atSender(answer: Answer): Reply | undefined {
  const { status = 200 } = answer;
  if (status === 401) {
    return { code: 530, text: `5.7.0 ${words(answer)}` };
  }
  return status >= 500 ? { code: 421, text: words(answer) } : undefined;
}

function atRecipient(answer: Answer): Reply | undefined {
  const { status = 200 } = answer;
  if (status < 400) {
    return undefined;
  }
  return status === 429 ? { code: 450, text: words(answer) } : { code: 550, text: `5.7.1 ${words(answer)}` };
}

destinationContract('smtp', {
  connector: smtp,
  renewsToken: false,
  parts: {
    mail: (n, bad) =>
      Array.from({ length: n }, (_, at) => ({
        mark: `mark-${at}`,
        to: at === bad ? `bad${at}@customer.example` : `a${at}@customer.example`,
        subject: `Hello ${at}`,
        text: `Hello ${at}`,
        html: `<p>Hello ${at}</p>`,
        unsubscribe: 'https://activate.acme.example/unsubscribe/token',
        list: 'news',
      })),
  },
  skip: {
    limited: 'a mail server names no time to come back',
    'limited, no time given': 'a mail server puts off single recipients, which is an answer and no error',
  },
  start: async () => {
    const far = await startSmtp();
    const config = {
      host: '127.0.0.1',
      port: String(far.port),
      security: 'none',
      user: far.user,
      password: far.password,
      from: 'news@acme.example',
      connections: '1',
    };
    return {
      fake: inTermsOfMail(far),
      config,
      wrongConfig: { ...config, password: 'wrong-wrong-wrong' },
      // Whoever has two of one Message-ID has one mail.
      stored: () => [...new Set(far.taken.map((mail) => headerOf(mail, 'Message-ID')))].toSorted(),
    };
  },
});
