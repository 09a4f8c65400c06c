import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why browser tests can't run here; undefined when they can. */
export const noBrowser = existsSync(executablePath) ? undefined : 'Chromium is not installed';

/** Starts a headless Chromium. Whoever starts it closes it. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
}

/** Collects what a page complains about: console errors, exceptions and answers of the server's that say it is at fault. */
export function complaints(page: Page): readonly string[] {
  const heard: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      heard.push(message.text());
    }
  });
  page.on('pageerror', (error) => heard.push(error.message));
  page.on('response', (response) => {
    if (response.status() >= 500) {
      heard.push(`${response.status()} ${response.url()}`);
    }
  });
  return heard;
}
