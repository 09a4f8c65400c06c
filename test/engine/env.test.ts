import { describe, expect, it } from 'vitest';
import { parseEnv, usesLocalChat } from '../../engine/env.ts';

describe('configuration', () => {
  it('needs nothing', () => {
    const env = parseEnv({});

    expect(env).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      DATABASE_SCHEMA: 'activate',
      ACTIVATE_ADMINS: [],
    });
    expect(usesLocalChat(env)).toBe(true);
  });

  it('takes an empty value as not set', () => {
    expect(parseEnv({ PORT: '', REDIS_URL: '' }).PORT).toBe(3000);
  });

  it('says all mistakes at once, in plain words', () => {
    const wrong = { PORT: 'many', DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud', SLACK_BOT_TOKEN: 'abc' };
    const said = (): unknown => parseEnv(wrong);

    expect(said).toThrow(/has 4 mistakes/);
    expect(said).toThrow(/PORT must be a number/);
    expect(said).toThrow(/DATABASE_URL must be a PostgreSQL address, beginning with postgres:\/\//);
    expect(said).toThrow(/LOG_LEVEL must be debug, info/);
    expect(said).toThrow(/SLACK_BOT_TOKEN must begin with xoxb-/);
  });

  it.each([
    [{ DATABASE_URL: 'postgres://db/x' }, /SECRET_KEY is required with DATABASE_URL/],
    [{ SLACK_BOT_TOKEN: 'xoxb-1' }, /SLACK_APP_TOKEN .* is missing/],
    [{ SLACK_APP_TOKEN: 'xapp-1' }, /SLACK_BOT_TOKEN is missing/],
    [{ HOST: '0.0.0.0' }, /LOCAL_CHAT_PASSWORD is required/],
  ])('refuses %j', (given, sentence) => {
    expect(() => parseEnv(given as Record<string, string>)).toThrow(sentence);
  });

  it.each(['crm.internal', '10.0.0.0/8, *.corp , FD00::/8'])('takes %s as private hosts', (given) => {
    const wanted = given.split(',').map((entry) => entry.trim().toLowerCase());

    expect(parseEnv({ ALLOWED_PRIVATE_HOSTS: given }).ALLOWED_PRIVATE_HOSTS).toEqual(wanted);
  });

  it.each(['http://crm.internal', 'crm.internal:8080', '10.0.0.0/40', '*'])(
    'does not take %s as a private host',
    (given) => {
      expect(() => parseEnv({ ALLOWED_PRIVATE_HOSTS: given })).toThrow(
        /ALLOWED_PRIVATE_HOSTS must list host names/,
      );
    },
  );

  it('takes one folder for files by its full path, and not the whole machine', () => {
    expect(parseEnv({ ALLOWED_FOLDER: '/mnt/exports/' }).ALLOWED_FOLDER).toBe('/mnt/exports');
    for (const given of ['exports', '/', '/mnt/..']) {
      expect(() => parseEnv({ ALLOWED_FOLDER: given })).toThrow(/ALLOWED_FOLDER must be the full path/);
    }
  });

  it('takes a proxy by its address', () => {
    expect(parseEnv({ HTTPS_PROXY: 'http://proxy.corp:3128' }).HTTPS_PROXY).toBe('http://proxy.corp:3128');
    expect(() => parseEnv({ HTTPS_PROXY: 'proxy.corp:3128' })).toThrow(
      /HTTPS_PROXY must be the address of a proxy/,
    );
  });

  it('splits admins, whatever their case', () => {
    expect(parseEnv({ ACTIVATE_ADMINS: ' Ada@x.example , bo@x.example ' }).ACTIVATE_ADMINS).toEqual([
      'ada@x.example',
      'bo@x.example',
    ]);
  });
});
