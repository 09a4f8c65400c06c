import type { Sender } from '../contracts/chat.ts';
import { parseTarget, type Target } from '../contracts/refs.ts';
import type { AlertTarget } from '../model/alert.ts';
import type { RowText } from '../template/template.ts';
import type { Roster } from './mentions.ts';

/** Where a row's message goes, or the reason why it can't go there. */
export type Route = { readonly to: Target } | { readonly reason: string };

/** Finds the places that rows name, asking the platform for each once. */
export class Routes {
  private readonly sender: Sender;
  private readonly roster: Roster;
  private readonly channels = new Map<string, Promise<Target | undefined>>();

  constructor(sender: Sender, roster: Roster) {
    this.sender = sender;
    this.roster = roster;
  }

  async find(target: AlertTarget, row: RowText): Promise<Route> {
    switch (target.type) {
      case 'channel':
      case 'person': {
        const to = parseTarget(target.to);
        return to === undefined ? { reason: `"${target.to}" is not a place to post to.` } : { to };
      }
      case 'channel-from':
        return this.namedChannel(row[target.column] ?? '', target.column);
      case 'person-from':
        return this.namedPerson(row[target.column] ?? '', target.column);
      default:
        return target satisfies never;
    }
  }

  private async namedChannel(named: string, column: string): Promise<Route> {
    if (named === '') {
      return { reason: `The column ${column} names no channel.` };
    }
    const to = await this.channel(named);
    return to === undefined
      ? { reason: `There is no channel "${named}", or I was not invited to it.` }
      : { to };
  }

  private async namedPerson(email: string, column: string): Promise<Route> {
    if (email === '') {
      return { reason: `The column ${column} names nobody.` };
    }
    const found = await this.roster.find(email);
    return found === undefined
      ? { reason: `Nobody here has the e-mail address ${email}.` }
      : { to: found.person };
  }

  private channel(named: string): Promise<Target | undefined> {
    const wanted = named.trim().replace(/^#/, '');
    let answer = this.channels.get(wanted);
    if (answer === undefined) {
      answer = findChannel(this.sender, wanted);
      this.channels.set(wanted, answer);
      answer.catch(() => this.channels.delete(wanted));
    }
    return answer;
  }
}

/** The channel of this name or id; undefined when there is none that we can see. */
export async function findChannel(sender: Sender, named: string): Promise<Target | undefined> {
  const direct = parseTarget(named);
  if (direct !== undefined) {
    return direct;
  }
  const wanted = named.trim().replace(/^#/, '').toLowerCase();
  const options = await sender.channels(wanted);
  const option = options.find(
    ({ value, label }) =>
      label.replace(/^#/, '').toLowerCase() === wanted || value.toLowerCase().endsWith(`:${wanted}`),
  );
  return option === undefined ? undefined : parseTarget(option.value);
}
