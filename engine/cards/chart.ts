import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Run } from '../store/runs.ts';

const width = 720;
const height = 240;
const left = 52;
const bottom = 34;
const top = 46;

/** A picture of recent runs, oldest left: messages, or what was delivered, as bars, red where a run failed. PNG bytes. */
export async function runsChart(title: string, runs: readonly Run[]): Promise<Uint8Array> {
  return picture(draw(title, [...runs].reverse()));
}

/** A picture of how large a list was at each run, oldest left; the last bar is what it would be. PNG bytes. */
export async function sizesChart(title: string, sizes: readonly number[]): Promise<Uint8Array> {
  return picture(drawSizes(title, sizes));
}

async function picture(svg: string): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js');
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const drawn = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: 2 },
    font: {
      fontFiles: [join(fonts, 'ttf', 'DejaVuSans.ttf')],
      loadSystemFonts: false,
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return drawn.render().asPng();
}

function draw(title: string, runs: readonly Run[]): string {
  const values = runs.map(({ counts }) =>
    Object.values(counts.done ?? {}).reduce((sum, number) => sum + number, counts.messages ?? 0),
  );
  const most = Math.max(1, ...values);
  const step = (width - left - 16) / Math.max(runs.length, 12);
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - top);
  const bars = runs.map((run, at) => {
    const failed = run.state === 'failed' || (run.counts.failed ?? 0) > 0;
    const value = values[at] ?? 0;
    const tall = Math.max(failed ? 8 : 2, y(0) - y(value));
    const colour = failed ? '#d64545' : value > 0 ? '#2f6fed' : '#b8c4d6';
    return `<rect x="${(left + at * step + step * 0.15).toFixed(1)}" y="${(y(0) - tall).toFixed(1)}" width="${(step * 0.7).toFixed(1)}" height="${tall.toFixed(1)}" rx="2" fill="${colour}"/>`;
  });
  return framed(title, most, bars, [clock(runs[0]), clock(runs.at(-1))]);
}

function drawSizes(title: string, sizes: readonly number[]): string {
  const most = Math.max(1, ...sizes);
  const step = (width - left - 16) / Math.max(sizes.length, 12);
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - top);
  const bars = sizes.map((value, at) => {
    const tall = Math.max(2, y(0) - y(value));
    const last = at === sizes.length - 1;
    const x = left + at * step + step * 0.15;
    const label = last
      ? `<text x="${(x + step * 0.35).toFixed(1)}" y="${(y(0) - tall - 5).toFixed(1)}" text-anchor="middle" font-size="11" fill="#9a5b00">${value.toLocaleString('en')}</text>`
      : '';
    return `<rect x="${x.toFixed(1)}" y="${(y(0) - tall).toFixed(1)}" width="${(step * 0.7).toFixed(1)}" height="${tall.toFixed(1)}" rx="2" fill="${last ? '#f0a020' : '#2f6fed'}"/>${label}`;
  });
  return framed(title, most, bars, ['earlier runs', 'orange: after this run']);
}

/** Bars between a title, a scale and two words below. */
function framed(
  title: string,
  most: number,
  bars: readonly string[],
  [before, after]: readonly [string, string],
): string {
  const y = (value: number): number => height - bottom - (value / most) * (height - bottom - top);
  const marks = [0, most / 2, most]
    .filter((value, at, all) => Number.isInteger(value) && all.indexOf(value) === at)
    .map(
      (value) =>
        `<line x1="${left}" x2="${width - 16}" y1="${y(value)}" y2="${y(value)}" stroke="#e3e8ef"/>
         <text x="${left - 8}" y="${y(value) + 4}" text-anchor="end" font-size="11" fill="#5b6878">${value.toLocaleString('en')}</text>`,
    );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="DejaVu Sans">
    <rect width="100%" height="100%" fill="#ffffff"/>
    <text x="${left}" y="20" font-size="13" fill="#1d2733">${escapeXml(title)}</text>
    ${marks.join('')}${bars.join('')}
    <text x="${left}" y="${height - 12}" font-size="11" fill="#5b6878">${before}</text>
    <text x="${width - 16}" y="${height - 12}" text-anchor="end" font-size="11" fill="#5b6878">${after}</text>
  </svg>`;
}

function clock(run: Run | undefined): string {
  return run === undefined ? '' : `${run.dueAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function escapeXml(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
