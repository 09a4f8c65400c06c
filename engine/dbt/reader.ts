import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { ActivateError } from '../contracts/errors.ts';
import { errorOf } from '../contracts/http.ts';
import type { Log } from '../contracts/log.ts';
import type { Raw } from '../contracts/refs.ts';
import { parsedUrl } from '../contracts/url.ts';
import { type Download, download } from '../http/download.ts';
import { createHttp } from '../http.ts';
import type { Vault } from '../secrets.ts';
import type { DbtProject } from '../store/dbt.ts';
import { type PlatformRun, platformError, platformOf } from './platform.ts';
import { type RunResult, readResults } from './results.ts';

export interface ReaderParts {
  readonly vault: Vault;
  readonly allowedFolder: string | undefined;
  readonly privateHosts: readonly string[];
  readonly proxy: string | undefined;
  readonly log: Log;
  readonly now: () => Date;
}

/** A manifest that can be read now. `mark` tells it from the next one. */
export interface FoundManifest {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly mark: string;
  readonly environment: string | undefined;
}

/** What of a project is asked. */
export type Asked = Pick<DbtProject, 'place' | 'config' | 'secrets' | 'mark'>;

/** Reads the artifacts of dbt projects where they are. Errors: CONFIG_INVALID, NOT_FOUND, AUTH_REJECTED, UNAVAILABLE, … */
export interface DbtReader {
  /** `same` where it is the one that the mark is of. */
  manifest(project: Asked, signal: AbortSignal): Promise<FoundManifest | 'same'>;
  /** What a run of the dbt platform did, all its steps together, and where. */
  results(
    project: Asked,
    runId: string,
    signal: AbortSignal,
  ): Promise<{ readonly environment: string | undefined; readonly results: readonly RunResult[] }>;
}

export function createReader(parts: ReaderParts): DbtReader {
  const secretsOf = (project: Asked): Raw => parts.vault.unseal(project.secrets);
  const network = (url: string, secrets: Raw) => ({
    hosts: [parsedUrl(url)?.hostname ?? ''],
    privateHosts: parts.privateHosts,
    proxy: parts.proxy,
    secrets: Object.values(secrets),
  });
  const got = async (url: string, headers: Raw, secrets: Raw, signal: AbortSignal, platform: boolean) => {
    const answer = await download(network(url, secrets), { url, headers, signal });
    if ('text' in answer) {
      throw platform ? platformError(answer) : errorOf(answer, 'The address of the manifest');
    }
    return answer;
  };
  const onPlatform = async <T>(
    project: Asked,
    work: (platform: ReturnType<typeof platformOf>, fetch: (url: string) => Promise<Download>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> => {
    const secrets = secretsOf(project);
    const http = createHttp({
      ...network(project.config['baseUrl'] ?? '', secrets),
      log: parts.log,
      now: parts.now,
    });
    const platform = platformOf(http, project.config, secrets['token'] ?? '');
    try {
      return await work(platform, (url) => got(url, platform.headers, secrets, signal, true));
    } finally {
      await http.close();
    }
  };
  return {
    manifest: async (project, signal) => {
      switch (project.place) {
        case 'file':
          return fileOf(project, parts.allowedFolder);
        case 'url': {
          const secrets = secretsOf(project);
          const headers = {
            ...(secrets['token'] === undefined ? {} : { authorization: `Bearer ${secrets['token']}` }),
            ...(project.mark?.startsWith('"') || project.mark?.startsWith('W/')
              ? { 'if-none-match': project.mark }
              : {}),
          };
          const answer = await got(project.config['url'] ?? '', headers, secrets, signal, false);
          const mark = answer.headers['etag'] ?? '';
          return answer.status === 304 ? 'same' : { bytes: answer.bytes, mark, environment: undefined };
        }
        case 'platform':
          return onPlatform(
            project,
            async (platform, fetch) => {
              const run = mustBeThere(await platform.latest(signal));
              const { id, environment } = run;
              return id === project.mark
                ? 'same'
                : {
                    bytes: (await fetch(platform.artifact(id, 'manifest.json'))).bytes,
                    mark: id,
                    environment,
                  };
            },
            signal,
          );
        default:
          return project.place satisfies never;
      }
    },
    results: (project, runId, signal) =>
      onPlatform(
        project,
        async (platform, fetch) => {
          const run = await platform.one(runId, signal);
          const results: RunResult[] = [];
          for (const step of run.steps.length === 0 ? [undefined] : run.steps) {
            const answer = await fetch(platform.artifact(runId, 'run_results.json', step)).catch(
              noneThere(step),
            );
            results.push(...(answer === undefined ? [] : (await readResults(answer.bytes)).results));
          }
          return { environment: run.environment, results };
        },
        signal,
      ),
  };
}

function mustBeThere(run: PlatformRun | undefined): PlatformRun {
  if (run === undefined) {
    throw new ActivateError(
      'NOT_FOUND',
      'The job of the dbt platform has not had a run that went well yet.',
      {
        fix: 'Run it, or name another job: /activate dbt-connect.',
      },
    );
  }
  return run;
}

/** A step that builds nothing (a checkout, `dbt deps`) has no results. */
function noneThere(step: number | undefined): (error: unknown) => undefined {
  return (error) => {
    if (step === undefined || !(error instanceof ActivateError) || error.code !== 'NOT_FOUND') {
      throw error;
    }
  };
}

async function fileOf({ config, mark }: Asked, allowed: string | undefined): Promise<FoundManifest | 'same'> {
  if (allowed === undefined) {
    throw new ActivateError('CONFIG_INVALID', 'This installation reads no files of its own machine.', {
      fix: 'Ask an admin to name a folder for it in ALLOWED_FOLDER, or give an address of the web.',
    });
  }
  const path = resolve(allowed, config['path'] ?? '');
  const tries = [path, join(path, 'target', 'manifest.json'), join(path, 'manifest.json')];
  for (const one of isWithin(allowed, path) ? tries : []) {
    const real = await realpath(one).catch(() => undefined);
    const about = real === undefined ? undefined : await stat(real);
    if (real !== undefined && about?.isFile() === true && isWithin(await realpath(allowed), real)) {
      const now = `${about.mtimeMs} ${about.size}`;
      return now === mark ? 'same' : { bytes: createReadStream(real), mark: now, environment: undefined };
    }
  }
  const sentence = 'There is no manifest at this path below the folder of ALLOWED_FOLDER.';
  throw new ActivateError('NOT_FOUND', sentence, {
    fix: 'dbt writes it as target/manifest.json.',
    fields: { path: sentence },
  });
}

/** Whether a path is this folder or below it, both in full. */
function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
