import type { Answer, Received } from './http.ts';
import { Fault } from './salesforce-org.ts';

export interface Usage {
  usage: { readonly used: number; readonly limit: number };
}

export function failed(status: number, errorCode: string, message: string): Answer {
  return { status, json: [{ message, errorCode }] };
}

/** Answers with what the work gives as JSON, and with a refusal as Salesforce puts it. */
export function handled<S extends Usage>(
  work: (request: Received, state: S) => unknown,
): (request: Received, state: S) => Answer {
  return (request, state) => {
    try {
      return answer(state, work(request, state));
    } catch (error) {
      if (error instanceof Fault) {
        return failed(error.status, error.errorCode, error.message);
      }
      throw error;
    }
  };
}

/** Nearly every answer says how many of the day's calls were made. */
export function answer({ usage }: Usage, json: unknown): Answer {
  return { json, headers: { 'sforce-limit-info': `api-usage=${usage.used}/${usage.limit}` } };
}
