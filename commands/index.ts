import type { Connector } from '../engine/contracts/connector.ts';
import { claim } from './claim.ts';
import { connectOf } from './connect.ts';
import type { AnyCommand } from './define.ts';
import { remove } from './delete.ts';
import { details } from './details.ts';
import { draft } from './draft.ts';
import { edit } from './edit.ts';
import { helpOf } from './help.ts';
import { history } from './history.ts';
import { home } from './home.ts';
import { list } from './list.ts';
import { mute } from './mute.ts';
import { newAlert } from './new-alert.ts';
import { notAFit } from './not-a-fit.ts';
import { pause } from './pause.ts';
import { release } from './release.ts';
import { resume } from './resume.ts';
import { retry } from './retry.ts';
import { run } from './run.ts';
import { show } from './show.ts';
import { snooze } from './snooze.ts';
import { sql } from './sql.ts';
import { test } from './test.ts';
import { unmute } from './unmute.ts';
import { whoami } from './whoami.ts';

/** All commands, in the order in which help shows them. */
export function createCommands(connectors: readonly Connector[]): readonly AnyCommand[] {
  const commands: readonly AnyCommand[] = [
    home,
    newAlert,
    list,
    show,
    edit,
    run,
    test,
    pause,
    resume,
    mute,
    unmute,
    history,
    retry,
    remove,
    connectOf(connectors),
    sql,
    draft,
    whoami,
    helpOf(() => commands),
    claim,
    release,
    snooze,
    notAFit,
    details,
  ];
  return commands;
}
