import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { grantedToken } from '../../../connectors/shared/oauth.ts';
import { ActivateError } from '../../../engine/contracts/errors.ts';
import type { Log } from '../../../engine/contracts/log.ts';
import { createHttp, type HttpClient } from '../../../engine/http.ts';
import { type FakeHttp, startFakeHttp } from '../../fakes/http.ts';

const silent = (): void => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };

let fake: FakeHttp<{ asked: unknown[]; status: number; answer: unknown }>;
let http: HttpClient;

beforeEach(async () => {
  fake = await startFakeHttp(
    { asked: [] as unknown[], status: 200, answer: { access_token: 't0ken' } as unknown },
    {
      'POST /token': ({ headers, body }, state) => {
        state.asked.push([headers['content-type'], body.toString()]);
        return { status: state.status, json: state.answer };
      },
    },
  );
  http = createHttp({ hosts: ['127.0.0.1'], privateHosts: ['127.0.0.1'], log });
});

afterEach(async () => {
  await http.close();
  await fake.close();
});

describe('grantedToken', () => {
  const grant = () => ({
    vendor: 'Pigeon',
    url: `${fake.url}/token`,
    form: { grant_type: 'client_credentials', scope: 'read write' },
    renew: 'a key',
  });

  it('asks by a form, or by JSON where the vendor wants that', async () => {
    const tokens = [
      await grantedToken(http, grant()),
      await grantedToken(http, { ...grant(), asJson: true }),
    ];

    expect(tokens).toEqual(['t0ken', 't0ken']);
    expect(fake.state.asked).toEqual([
      ['application/x-www-form-urlencoded', 'grant_type=client_credentials&scope=read+write'],
      ['application/json', '{"grant_type":"client_credentials","scope":"read write"}'],
    ]);
  });

  it('says what to make anew when the grant is refused, or what the vendor means by it', async () => {
    fake.state.status = 400;
    const { renew: _renew, ...own } = grant();
    const refused = () => new ActivateError('CONFIG_INVALID', 'Pigeon gives no tokens here.');

    await expect(grantedToken(http, grant())).rejects.toMatchObject({
      code: 'AUTH_REJECTED',
      message: 'Pigeon does not take the sign-in.',
      fix: 'Make a key anew and connect again: /activate connect.',
    });
    await expect(grantedToken(http, { ...own, refused })).rejects.toMatchObject({
      message: 'Pigeon gives no tokens here.',
    });
  });

  it.each([{}, { access_token: '' }, null])('knows that %o is no token', async (answer) => {
    fake.state.answer = answer;

    await expect(grantedToken(http, grant())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'Pigeon answered the sign-in without a token.',
    });
  });
});
