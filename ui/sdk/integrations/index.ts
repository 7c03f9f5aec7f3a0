/** Integrations that can be installed, and those that somebody has. */
import type { Act } from '../../kit/events.ts';
import { view } from '../../kit/view.ts';
import css from './integrations.css?inline';
import Root from './Integrations.svelte';
import rollout from './rollout.css?inline';
import { STRINGS } from './strings.ts';

export interface IntegrationsOptions {
  showHeader?: boolean;
  /** Integrations that are shown at all: a field, dotted where it lies deeper, and its value; `!` is empty, `>0` more than */
  customFilter?: Readonly<Record<string, unknown>>;
}

/** What it tells, with what data, and what comes with `-after`. */
export interface IntegrationsEvents {
  /** Opens the wizard */
  'integration:create': Act<{ templateId: string }>;
  /** Opens the wizard */
  'integration:edit': Act<{ integrationId: string }>;
  'integration:start': Act<{ integrationId: string }>;
  'integration:stop': Act<{ integrationId: string }>;
  'integration:remove': Act<{ integrationId: string }>;
  /** Opens its log */
  'integration:insights': Act<{ integrationId: string }>;
  /** The template goes, and every copy of it */
  'integration:withdraw': Act<{ templateId: string }>;
}

/** What it shows just now, by path. */
export interface IntegrationsState {
  /** What is searched for */
  'query/pattern': string;
}

export default view(Root, { css: css + rollout, strings: STRINGS, defaults: { showHeader: true } satisfies IntegrationsOptions });
