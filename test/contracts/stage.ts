import { expect } from 'vitest';
import type { Connector } from '../../engine/contracts/connector.ts';
import type { Outcome } from '../../engine/contracts/destination.ts';
import { ActivateError } from '../../engine/contracts/errors.ts';
import type { Raw } from '../../engine/contracts/refs.ts';
import { secretPieces } from '../../engine/http/secrets.ts';
import type { FakeHttp } from '../fakes/http.ts';
import { type Opened, openFor, secretsOf } from '../support/connect.ts';
import { firstTime, type How, type Work } from './works.ts';

/** A fresh far side for one test. */
export interface FarSide {
  /** Where nothing can be made to fail, the cases that ask for it are skipped, with that reason. */
  readonly fake: Pick<FakeHttp, 'requests' | 'next' | 'always' | 'arrival' | 'expectNoUnexpected' | 'close'>;
  /** What a person types to connect to it; and the same with a key that it does not accept. */
  readonly config: Raw;
  readonly wrongConfig: Raw;
  /** What is typed to read from it, where that takes another login than writing does. */
  readonly readerConfig?: Raw;
  /** Secrets that are no whole field: a private key inside a file of credentials, the password of a URL. */
  readonly secrets?: readonly string[];
  readonly standIns?: Readonly<Record<string, string>>;
  /** What it keeps now, without what may differ from one attempt to the next (times, request ids); or a promise of it. */
  stored(): unknown;
}

/** What an attempt came to: outcomes, or the error about the batch as a whole. */
export interface Result {
  readonly outcomes: readonly Outcome[];
  readonly error: ActivateError | undefined;
}

/** An open connection to a far side, and all that was said to people meanwhile. */
export interface Stage {
  readonly far: FarSide;
  readonly opened: Opened;
  attempt(work: Work, n: number, how?: Partial<How>): Promise<Result>;
  /** Keeps what was said to people, for the search for secrets. */
  hear(said: unknown): void;
}

/** Opens, lets the test run, and then holds it to what every test owes: no secret told, no request unexpected. */
export async function onStage(
  connector: Connector,
  far: FarSide,
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  const said: string[] = [];
  const opened = await openFor(
    connector,
    far.config,
    far.standIns === undefined ? {} : { standIns: far.standIns },
  );
  const hear = (heard: unknown): void => void said.push(spelledOut(heard));
  try {
    await test({
      far,
      opened,
      hear,
      attempt: async (work, n, how = {}) => {
        const result = await resultOf(work.send(opened.connection, n, { ...firstTime(), ...how }));
        hear(result.outcomes);
        hear(result.error);
        return result;
      },
    });
    for (const secret of [...secretsOf(connector, far.config), ...(far.secrets ?? [])].flatMap(
      secretPieces,
    )) {
      expect([...said, ...opened.logged].filter((text) => text.includes(secret))).toEqual([]);
    }
    far.fake.expectNoUnexpected();
  } finally {
    await opened.close();
    await far.fake.close();
  }
}

async function resultOf(sending: Promise<readonly Outcome[]>): Promise<Result> {
  try {
    return { outcomes: await sending, error: undefined };
  } catch (error) {
    if (error instanceof ActivateError) {
      return { outcomes: [], error };
    }
    throw error;
  }
}

function spelledOut(heard: unknown): string {
  if (!(heard instanceof ActivateError)) {
    return JSON.stringify(heard) ?? '';
  }
  const { code, message, fix, fields, cause } = heard;
  return `${code} ${message} ${fix} ${JSON.stringify(fields)} ${String(cause)}`;
}
