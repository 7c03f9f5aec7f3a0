/** Our English texts by widget, as hosts of Appmixer's SDK name them: `ui.<widget>.<key>`. Read from the sources. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { COLOURS } from './flow/sheets.ts';
import type { Tree } from './kit/l10n.ts';
import { STRINGS as kit } from './kit/strings.ts';
import { STRINGS as page } from './page/strings.ts';
import { STRINGS as accounts } from './sdk/accounts/strings.ts';
import { STRINGS as automationHub } from './sdk/automation-hub/strings.ts';
import { STRINGS as connectors } from './sdk/connectors/strings.ts';
import { STRINGS as files } from './sdk/files/strings.ts';
import { STRINGS as flowManager } from './sdk/flow-manager/strings.ts';
import { STRINGS as insightsChartEditor } from './sdk/insights-chart-editor/strings.ts';
import { STRINGS as insightsDashboard } from './sdk/insights-dashboard/strings.ts';
import { STRINGS as insightsLogs } from './sdk/insights-logs/strings.ts';
import { STRINGS as integrations } from './sdk/integrations/strings.ts';
import { STRINGS as peopleTasks } from './sdk/people-tasks/strings.ts';
import { STRINGS as runs } from './sdk/runs/strings.ts';
import { STRINGS as storage } from './sdk/storage/strings.ts';
import { STRINGS as wizard } from './sdk/wizard/strings.ts';

const BY_KEY = { kit, accounts, automationHub, connectors, files, flowManager, insightsChartEditor, insightsDashboard, insightsLogs, integrations, page, peopleTasks, runs, storage, wizard };
/** What speaks by its English texts, which get keys here. */
const BY_TEXT = ['sdk/designer', 'flow', 'kit/ui', 'kit/chart', 'sdk/integrations'];
/** What they say of values that the engine names: states of runs, of steps and of a test, and the colours of notes. */
const NAMED = ['ready', 'running', 'waiting', 'done', 'failed', 'cancelled', 'ended', ...COLOURS];
/** The tabs below the canvas, called by their names. */
const TABS = ['Problems', 'Logs', 'Runs', 'Versions'];

export function english(home: string): { ui: Tree } {
  const designer: Record<string, string> = {};
  for (const folder of BY_TEXT) {
    const texts = new Set(readdirSync(join(home, folder)).filter((name) => /\.(svelte|ts)$/.test(name) && name !== 'strings.ts').sort().flatMap((name) => said(readFileSync(join(home, folder, name), 'utf8'))));
    for (const text of texts) put(designer, text);
  }
  for (const text of [...NAMED, ...TABS]) if (!Object.values(designer).includes(text)) put(designer, text);
  return { ui: { ...BY_KEY, designer } };
}

/** Texts that a source gives to the translator: literals in calls of `t` or of what calls it, but what is compared there, in lists and tables of words for it, and labels. */
export function said(source: string): string[] {
  const found: string[] = [];
  for (const { index } of source.matchAll(/(?<![\w.$])(?:t|run)\(|words: \[|(?:SAVED|HEADS|CHANGES) = \{/g)) {
    const call = balanced(source, index + source.slice(index).search(/[([{]/));
    for (const [, before, one, two] of call.matchAll(/(^t?\(|[?:] |=== )?(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")/g)) {
      const text = (one ?? two ?? '').replace(/\\(.)/g, '$1');
      if (before !== '=== ' && (before !== undefined || /^[A-Z{]|\s/.test(text)) && /\p{L}{2}/u.test(text) && !/^Ctrl\+/.test(text)) found.push(text);
    }
  }
  for (const [, text] of source.matchAll(/\b(?:label|placeholder): '([A-Z][^'\n]*)'/g)) found.push(text!);
  return found;
}

function balanced(source: string, from: number): string {
  let depth = 0;
  for (let at = from; at < source.length; at += 1) {
    if ('([{'.includes(source[at]!)) depth += 1;
    else if (')]}'.includes(source[at]!) && (depth -= 1) === 0) return source.slice(from, at);
  }
  return '';
}

function put(room: Record<string, string>, text: string): void {
  const name = camel(text.replace(/\{\d\}/g, 'n')) || 'text';
  let key = name;
  for (let number = 2; room[key] !== undefined && room[key] !== text; number += 1) key = `${name}${number}`;
  room[key] = text;
}

function camel(text: string): string {
  const words = text.toLowerCase().replace(/['’]/g, '').split(/[^\p{L}\p{N}]+/u).filter(Boolean).slice(0, 6);
  return words.map((word, at) => (at ? word[0]!.toUpperCase() + word.slice(1) : word)).join('');
}
