import type { Caller } from '../contracts/command.ts';
import { ActivateError } from '../contracts/errors.ts';
import { parseTarget, type Target } from '../contracts/refs.ts';
import { findChannel } from '../messages/routes.ts';
import type { Services } from '../services.ts';
import { senderOf, type VerbParts } from './parts.ts';

/** Channels and people, by what people call them. */
export function placesVerbs(parts: VerbParts): Services['places'] {
  return {
    search: async (typed, by) => [
      ...(by.platform === 'cli' ? [] : await senderOf(parts, by.platform).channels(typed)),
      ...((await parts.senders.get('webhook')?.channels(typed)) ?? []),
    ],
    resolve: (typed, by) => resolve(parts, typed, by),
    nameOf: (target) => nameOf(parts, target),
  };
}

async function resolve(parts: VerbParts, typed: string, by: Caller): Promise<Target> {
  const text = typed.trim();
  const direct = parseTarget(text);
  if (direct !== undefined) {
    return direct;
  }
  const listener = text.startsWith('@') ? undefined : await listenerNamed(parts, text);
  if (listener !== undefined) {
    return listener;
  }
  const sender = senderOf(parts, by.platform);
  if (/^[^@\s]+@[^@\s]+$/.test(text)) {
    const person = await sender.personByEmail(text);
    if (person !== undefined) {
      return person;
    }
    throw new ActivateError('INPUT_INVALID', `Nobody here has the e-mail address ${text}.`);
  }
  if (text.startsWith('@')) {
    const wanted = text.slice(1).toLowerCase();
    const found = (await sender.people(wanted)).find(({ label }) => label.toLowerCase() === wanted);
    const person = found === undefined ? undefined : parseTarget(found.value);
    if (person !== undefined) {
      return person;
    }
    throw new ActivateError('INPUT_INVALID', `There is nobody called "${text}" here.`, {
      fix: 'Try their e-mail address.',
    });
  }
  const channel = await findChannel(sender, text);
  if (channel === undefined) {
    throw new ActivateError('INPUT_INVALID', `There is no channel "${text}" that I can see.`, {
      fix: 'Check the name, and invite me to the channel if it is private.',
    });
  }
  return channel;
}

/** A destination that takes notices, by its very name. */
async function listenerNamed(parts: VerbParts, text: string): Promise<Target | undefined> {
  const options = (await parts.senders.get('webhook')?.channels(text)) ?? [];
  const found = options.find(({ label }) => label === text);
  return found === undefined ? undefined : parseTarget(found.value);
}

/** What a person calls this place; its bare id when nobody can say. */
export async function nameOf(parts: VerbParts, target: Target): Promise<string> {
  const sender = parts.senders.get(target.platform);
  if (target.kind === 'person') {
    return (await sender?.profile(target))?.name ?? target.id;
  }
  return (await sender?.nameOf(target)) ?? `${target.id} (gone, or hidden from me)`;
}
