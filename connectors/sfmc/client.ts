import { z } from 'zod';
import type { ConnectorContext } from '../../engine/contracts/connector.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import {
  errorOf,
  type HttpAnswer,
  type HttpRequest,
  theirWords,
  withToken,
} from '../../engine/contracts/http.ts';
import { jsonAs, readOr } from '../shared/json.ts';
import { grantedToken } from '../shared/oauth.ts';
import type { Login } from './config.ts';
import { faultIn, textsIn, withSoap } from './envelope.ts';

/** Of the part of the REST API that keeps data extensions. */
export const version = 'data/v1';

export interface Asked extends Pick<HttpRequest, 'method' | 'query' | 'json' | 'repeatable'> {
  /** Below the version, without a slash before it. */
  readonly path: string;
  readonly signal?: AbortSignal;
}

/** The way to one business unit. */
export interface Client {
  readonly login: Login;
  /** Throws what {@link errorIn} says of an answer that is not 2xx. */
  ask<T extends z.ZodType>(request: Asked, shape: T): Promise<z.output<T>>;
  /**
   * By the SOAP interface, for what REST can't do: the XML of an answer, for the XML of a body. Never sent twice by
   * itself: a token that has ended is told by status 500.
   */
  soap(request: {
    readonly action: string;
    readonly xml: string;
    readonly signal: AbortSignal;
  }): Promise<string>;
}

export function openClient(login: Login, { http: bare }: ConnectorContext): Client {
  const plain = withSoap(bare);
  // One token for as long as it lasts: Marketing Cloud wants to be asked for one every 20 minutes at most.
  const http = withToken(plain, () =>
    grantedToken(plain, {
      vendor: 'Marketing Cloud',
      url: `${login.auth}/v2/token`,
      form: {
        grant_type: 'client_credentials',
        client_id: login.clientId,
        client_secret: login.clientSecret,
        account_id: login.businessUnit,
      },
      renew:
        'the client id and secret of the installed package, which has to be enabled for the business unit,',
    }),
  );
  return {
    login,
    ask: async ({ path, ...request }, shape) => {
      const answer = await http.send({
        ...request,
        url: `${login.rest}/${version}/${path}`,
        // Thousands of rows take their time.
        timeoutMs: 120_000,
      });
      if (!answer.ok) {
        throw errorIn(answer, request.json);
      }
      return read(shape, answer.json());
    },
    soap: async ({ action, xml, signal }) => {
      const answer = await http.send({
        signal,
        method: 'POST',
        url: `${login.soap}/Service.asmx`,
        headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: action },
        body: xml,
        timeoutMs: 120_000,
      });
      if (!answer.ok) {
        throw errorOf(answer, 'Marketing Cloud', theirWords(faultIn(answer.text), textsIn(xml, 'Value')));
      }
      return answer.text;
    },
  };
}

const read = readOr('Marketing Cloud answered with something else than it is known to.');

// Errors -------------------------------------------------------------------------------------------------------------

/** One for a request that is refused, and one for rows that are; each comes with some of these. */
const refusalShape = z.object({
  message: z.string().default(''),
  errorcode: z.coerce.number().optional(),
  retryAfter: z.coerce.number().optional(),
  additionalErrors: z.array(z.object({ message: z.string().default('') })).nullish(),
  resultMessages: z.array(z.object({ message: z.string().default('') })).nullish(),
});
type Refusal = z.output<typeof refusalShape>;

const aggregate = 10006;
const noRight = 20002;

function errorIn(answer: HttpAnswer, sent: unknown): ActivateError {
  const refusal: Refusal = jsonAs(answer.text, refusalShape) ?? { message: '' };
  const { message, errorcode: code, retryAfter, additionalErrors, resultMessages } = refusal;
  const parts = [
    message,
    ...[...(additionalErrors ?? []), ...(resultMessages ?? [])].slice(0, 3).map((one) => one.message),
  ];
  const says = theirWords(parts.join(' '), sent);
  if (code === noRight) {
    return new ActivateError('PERMISSION_DENIED', `Marketing Cloud does not allow this. It says: ${says}`, {
      fix: 'Give the API integration of the installed package Read and Write on Data Extensions.',
    });
  }
  if (answer.status === 400 && code === aggregate && parts.length === 1) {
    // Without a word of what it minds, this passes.
    return new ActivateError('UNAVAILABLE', `Marketing Cloud can't save rows just now. It says: ${says}`);
  }
  const waitMs = answer.retryAfterMs ?? (retryAfter === undefined ? undefined : retryAfter * 1000);
  return errorOf({ ...answer, retryAfterMs: waitMs }, 'Marketing Cloud', says);
}
