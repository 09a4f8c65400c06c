import { expect, it } from 'vitest';
import { parseEnv, usesLocalChat } from '../../../engine/env.ts';

const url = 'https://chat.example.com';
const token = 'x'.repeat(26);

it('wants an address, a token and a way back', () => {
  expect(() => parseEnv({ MATTERMOST_URL: url })).toThrow(
    /MATTERMOST_TOKEN is missing.*PUBLIC_URL or MATTERMOST_CALLBACK_URL/s,
  );
  expect(() => parseEnv({ MATTERMOST_TOKEN: token })).toThrow(/MATTERMOST_URL is missing/);
  expect(() => parseEnv({ MATTERMOST_URL: 'chat.example.com', MATTERMOST_TOKEN: token })).toThrow(/https:/);
});

it('takes an address of a private network, several tokens of commands, and the place of the local chat', () => {
  const env = parseEnv({
    MATTERMOST_URL: 'http://10.0.0.5:8065/chat',
    MATTERMOST_TOKEN: token,
    MATTERMOST_CALLBACK_URL: 'http://activate.internal:3000',
    MATTERMOST_COMMAND_TOKENS: 'abc, def',
  });

  expect(env.MATTERMOST_COMMAND_TOKENS).toEqual(['abc', 'def']);
  expect(env.MATTERMOST_TRUST_EMAILS).toBe('off');
  expect(usesLocalChat(env)).toBe(false);
});
