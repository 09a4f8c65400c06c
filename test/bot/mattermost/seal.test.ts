import { expect, it } from 'vitest';
import { createSeal } from '../../../bot/mattermost/seal.ts';

const SEEN = { person: 'maya', channel: 'sales', post: 'p1' };
let clock = Date.parse('2026-03-01T00:00:00Z');
const seal = createSeal('k'.repeat(32), () => new Date(clock));

function token(): string {
  return seal.close('button', { run: 'claim' }, { channel: 'sales', person: 'maya' }, 60_000);
}

it('gives back what was closed, to the one and at the place it was made for', () => {
  const made = token();

  expect(seal.open('button', made, SEEN)).toMatchObject({ state: 'ok', value: { run: 'claim' } });
  expect(made).not.toContain('claim');
  expect(Buffer.from(made, 'base64url').toString('latin1')).not.toContain('claim');
});

it.each([
  ['another person', { ...SEEN, person: 'sam' }],
  ['another channel', { ...SEEN, channel: 'general' }],
  ['nobody that is named', { channel: 'sales' }],
])('refuses it from %s', (_, seen) => {
  expect(seal.open('button', token(), seen)).toEqual({ state: 'forged' });
});

it('refuses what was changed, made for something else, or made with another key', () => {
  const made = token();
  const bytes = Buffer.from(made, 'base64url');
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
  const other = createSeal('o'.repeat(32), () => new Date(clock));

  for (const forged of [bytes.toString('base64url'), made.slice(0, -4), '', 'x', undefined, 7]) {
    expect(seal.open('button', forged, SEEN)).toEqual({ state: 'forged' });
  }
  expect(seal.open('dialog', made, SEEN)).toEqual({ state: 'forged' });
  expect(other.open('button', made, SEEN)).toEqual({ state: 'forged' });
});

it('says of what is too old that it is too old', () => {
  const made = token();

  clock += 60_001;

  expect(seal.open('button', made, SEEN)).toEqual({ state: 'expired' });
});
