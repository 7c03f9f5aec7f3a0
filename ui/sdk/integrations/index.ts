/** Integrations that can be installed, and those that somebody has. */
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

/** What it tells, and with what data. Each is the host's to do once it listens, and has a `-after`. */
export interface IntegrationsEvents {
  /** `templateId`; opens the wizard */
  'integration:create': object;
  /** `integrationId`; opens the wizard */
  'integration:edit': object;
  /** `integrationId` */
  'integration:start': object;
  /** `integrationId` */
  'integration:stop': object;
  /** `integrationId` */
  'integration:remove': object;
  /** `integrationId`; opens its log */
  'integration:insights': object;
  /** `templateId`; the template goes, and every copy of it */
  'integration:withdraw': object;
}

/** What it shows just now, by path. */
export interface IntegrationsState {
  /** What is searched for */
  'query/pattern': string;
}

export default view(Root, { css: css + rollout, strings: STRINGS, defaults: { showHeader: true } satisfies IntegrationsOptions });
