import { createHash } from 'node:crypto';
import { destinationContract } from '../contracts/destination.ts';
import { herald } from './herald/connector.ts';
import { apiKey, startHerald } from './herald/fake.ts';

// A destination written from docs/connectors.md alone: what that page does not say, it can't do.
destinationContract('herald', {
  connector: herald,
  renewsToken: false,
  start: async () => {
    const fake = await startHerald();
    return {
      fake,
      standIns: { 'api.herald.example': fake.url },
      config: { apiKey },
      wrongConfig: { apiKey: 'hk-of-somebody-else' },
      stored: () => fake.state.map(({ name, people }) => ({ name, people: [...people] })),
    };
  },
  says: {
    limited: (seconds) => ({
      json: { code: 'throttled', ...(seconds === undefined ? {} : { wait: seconds }) },
    }),
  },
  parts: {
    audiences: {
      list: 'l1',
      members: (n, bad) =>
        Array.from({ length: n }, (_, i) => ({
          key: `k${i}`,
          identifiers: {
            email: i === bad ? 'no hash' : createHash('sha256').update(`p${i}@mail.test`).digest('hex'),
          },
          traits: {},
        })),
    },
  },
});
