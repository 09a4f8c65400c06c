import type { App } from '../engine/boot.ts';
import { masked } from '../engine/personal/mask.ts';
import { openLink, useLink } from '../engine/store/links.ts';
import { dispatchOf } from './commands.ts';
import { dbtHooks } from './hooks.ts';
import { formPage } from './local/link.ts';
import type { Platform } from './platform.ts';
import { createServer, type Server } from './server.ts';
import { type UnsubscribeOptions, unsubscribePage } from './unsubscribe.ts';

/** Lets the platforms hear, and opens the one HTTP server: their routes, the pages, what dbt and monitoring call. */
export async function serve(app: App, platforms: readonly Platform[], signal: AbortSignal): Promise<Server> {
  const dispatch = dispatchOf(app);
  for (const platform of platforms) {
    await platform.receive(dispatch, signal);
  }
  const { env, log } = app;
  return createServer({
    platforms,
    port: env.PORT,
    host: env.HOST,
    ...(env.PUBLIC_URL === undefined ? {} : { publicUrl: env.PUBLIC_URL }),
    log,
    metrics: () => app.metrics.text(),
    ready: () => app.ready(),
    hooks: dbtHooks((project, request) => app.services.dbt.hear(project, request)),
    unsubscribe: unsubscribePage(unsubscribing(app)),
    form: formPage({
      dispatch,
      openLink: async (token) => {
        const link = await openLink(app.db, token, new Date());
        if (link === undefined) {
          return undefined;
        }
        const { command, input } = link.invocation;
        const reply = await dispatch.run({ command, input: { ...input, linked: 'true' } }, link.origin);
        return reply.kind === 'form' ? { form: reply.form, origin: link.origin } : undefined;
      },
      closeLink: (token) => useLink(app.db, token, new Date()),
    }),
  });
}

/** What the page to unsubscribe may know, and do. */
export function unsubscribing({ services: { mail } }: Pick<App, 'services'>): UnsubscribeOptions {
  return {
    open: (token) => {
      const leave = mail.readLink(token);
      return leave === undefined ? undefined : { whose: masked(leave.address), list: leave.list };
    },
    leave: async (token, all) => {
      const leave = mail.readLink(token);
      if (leave !== undefined) {
        await mail.leave({ address: leave.address, list: all ? '' : leave.list });
      }
    },
  };
}
