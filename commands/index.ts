import type { Connector } from '../engine/contracts/connector.ts';
import { apply } from './apply.ts';
import { approvals } from './approvals.ts';
import { approve } from './approve.ts';
import { approvers } from './approvers.ts';
import { audit } from './audit.ts';
import { claim } from './claim.ts';
import { connectOf } from './connect.ts';
import { dbt } from './dbt.ts';
import { dbtConnect } from './dbt-connect.ts';
import { dbtExposures } from './dbt-exposures.ts';
import { dbtRefresh } from './dbt-refresh.ts';
import type { AnyCommand } from './define.ts';
import { delegate } from './delegate.ts';
import { remove } from './delete.ts';
import { destinations } from './destinations.ts';
import { details } from './details.ts';
import { draft } from './draft.ts';
import { edit } from './edit.ts';
import { editAudience } from './edit-audience.ts';
import { editExport } from './edit-export.ts';
import { editMail } from './edit-mail.ts';
import { editSync } from './edit-sync.ts';
import { editTask } from './edit-task.ts';
import { errors } from './errors.ts';
import { exportAll } from './export.ts';
import { helpOf } from './help.ts';
import { history } from './history.ts';
import { home } from './home.ts';
import { list } from './list.ts';
import { mask } from './mask.ts';
import { models } from './models.ts';
import { mute } from './mute.ts';
import { newAlert } from './new-alert.ts';
import { newAudience } from './new-audience.ts';
import { newExport } from './new-export.ts';
import { newMail } from './new-mail.ts';
import { newSync } from './new-sync.ts';
import { newTask } from './new-task.ts';
import { notAFit } from './not-a-fit.ts';
import { pause } from './pause.ts';
import { people } from './people.ts';
import { plan } from './plan.ts';
import { policy } from './policy.ts';
import { preview } from './preview.ts';
import { reject } from './reject.ts';
import { release } from './release.ts';
import { resend } from './resend.ts';
import { resume } from './resume.ts';
import { resync } from './resync.ts';
import { retry } from './retry.ts';
import { review } from './review.ts';
import { role } from './role.ts';
import { run } from './run.ts';
import { sample } from './sample.ts';
import { show } from './show.ts';
import { skip } from './skip.ts';
import { snooze } from './snooze.ts';
import { sql } from './sql.ts';
import { suppress } from './suppress.ts';
import { suppressions } from './suppressions.ts';
import { test } from './test.ts';
import { unmute } from './unmute.ts';
import { whoami } from './whoami.ts';
import { why } from './why.ts';

/** All commands, in the order in which help shows them. */
export function createCommands(connectors: readonly Connector[]): readonly AnyCommand[] {
  const commands: readonly AnyCommand[] = [
    home,
    newAlert,
    newSync,
    newAudience,
    newExport,
    newTask,
    newMail,
    list,
    show,
    edit,
    editSync,
    editAudience,
    editExport,
    editTask,
    editMail,
    run,
    preview,
    test,
    pause,
    resume,
    mute,
    unmute,
    approvals,
    policy,
    approve,
    reject,
    sample,
    review,
    delegate,
    approvers,
    history,
    retry,
    errors,
    skip,
    resync,
    resend,
    suppressions,
    suppress,
    why,
    remove,
    connectOf(connectors),
    destinations,
    models,
    dbt,
    dbtConnect,
    dbtRefresh,
    dbtExposures,
    mask,
    sql,
    exportAll,
    plan,
    apply,
    draft,
    audit,
    people,
    role,
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
